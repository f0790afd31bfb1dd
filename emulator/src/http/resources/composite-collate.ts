import { referencesOf } from './composite-references.ts';
import type { NamedSubrequest } from './composite-run.ts';

/** From this version on a call is collated unless it says otherwise (REST API Developer Guide, "Composite Request Body"). */
const versionThatCollates = 49;
const objectsMax = 5;

interface Grouping {
  /** What its members have in common; undefined for one that stands alone. */
  readonly kind: string | undefined;
  readonly objects: Set<string>;
  readonly members: NamedSubrequest[];
}

/** Whether subrequests of a call may change places. */
export const isCollated = (collateSubrequests: unknown, versionNumber: number): boolean =>
  typeof collateSubrequests === 'boolean' ? collateSubrequests : versionNumber >= versionThatCollates;

/**
 * Brings those together that do the same to records: they are run as one, at the place of the first, and only what names
 * the answer of another comes surely after it.
 */
export function collate(subrequests: readonly NamedSubrequest[]): NamedSubrequest[][] {
  const groupings: Grouping[] = [];
  const placeOf = new Map<string, number>();
  for (const subrequest of subrequests) {
    const first = 1 + Math.max(-1, ...referencesOf(subrequest).map((id) => placeOf.get(id) ?? -1));
    const { kind, object } = kindOf(subrequest);
    let place = groupings.findIndex(
      (grouping, index) =>
        index >= first &&
        kind !== undefined &&
        grouping.kind === kind &&
        (grouping.objects.has(object) || grouping.objects.size < objectsMax),
    );
    if (place < 0) place = groupings.push({ kind, objects: new Set(), members: [] }) - 1;
    const grouping = groupings[place] as Grouping;
    grouping.objects.add(object);
    grouping.members.push(subrequest);
    placeOf.set(subrequest.referenceId, place);
  }
  return groupings.map(({ members }) => members);
}

function kindOf({ method, url, headers }: NamedSubrequest): { kind: string | undefined; object: string } {
  const [, version, object = ''] = /^\/services\/data\/(v\d+\.0)\/sobjects\/(\w+)/.exec(url) ?? [];
  const isAlone = version === undefined || Object.keys(headers).length > 0;
  return { kind: isAlone ? undefined : `${method} ${version}`, object: object.toLowerCase() };
}
