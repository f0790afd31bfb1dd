import type { ApiVersion } from './api-types.ts';

/** Versions below are retired since Summer '25 (REST API Developer Guide, "API End-of-Life Policy"). */
export const versionMin = 31;
export const versionMax = 66;

/** Three releases a year: 60.0 is Spring '24, 61.0 Summer '24, 62.0 Winter '25. */
function label(version: number): string {
  const season = (['Spring', 'Summer', 'Winter'] as const)[version % 3];
  const year = 4 + Math.floor(version / 3) + (season === 'Winter' ? 1 : 0);
  return `${season} '${String(year).padStart(2, '0')}`;
}

export const versions = Array.from({ length: versionMax - versionMin + 1 }, (_, index) => {
  const version = versionMin + index;
  return { label: label(version), url: `/services/data/v${version}.0`, version: `${version}.0` };
});

/** `v62.0`, or why it is none: retired versions answer otherwise than those that never were. */
export function parseVersion(segment: string): ApiVersion | 'retired' | 'unknown' {
  const number = /^v(\d+)\.0$/.exec(segment)?.[1];
  if (number === undefined || Number(number) > versionMax || Number(number) < 20) return 'unknown';
  return Number(number) < versionMin ? 'retired' : { text: segment, number: Number(number) };
}

/** What `GET /services/data/vXX.X` answers: the resources there are. */
export function versionResources(version: ApiVersion, identityUrl: string): Record<string, string> {
  const base = `/services/data/${version.text}`;
  return {
    composite: `${base}/composite`,
    identity: identityUrl,
    jobs: `${base}/jobs`,
    limits: `${base}/limits`,
    query: `${base}/query`,
    queryAll: `${base}/queryAll`,
    sobjects: `${base}/sobjects`,
    tooling: `${base}/tooling`,
  };
}
