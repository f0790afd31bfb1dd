import { type Config, type Engine, needsSomebody, type OrgState, orgHealth } from '@tidemark/core';
import { UsageError } from './usage-error.ts';

/** With more orgs than this, those that are well are counted. */
const ORGS_SHOWN_MAX = 5;

/** Orgs that are not shown one by one. */
export interface OrgSummary {
  readonly total: number;
  readonly byState: { readonly [state in OrgState]?: number };
  /** Those that need somebody, and are shown. */
  readonly unhealthy: readonly string[];
}

/** Which syncs are worth showing: of many orgs only those that need somebody, unless one org or sync is asked for. */
export async function selectSyncs(
  engine: Engine,
  { sync, org }: { readonly sync?: string | undefined; readonly org?: string | undefined },
): Promise<{ readonly shown: readonly string[]; readonly orgs: OrgSummary | null }> {
  const { syncs, pairings } = engine.config;
  const all = [...syncs.values(), ...pairings.values()];
  const names = (selected: typeof all) => selected.map(({ name }) => name);
  if (sync !== undefined) return { shown: [sync], orgs: null };
  if (org !== undefined) {
    const own = all.filter((each) => each.org?.name === org);
    if (own.length > 0) return { shown: names(own), orgs: null };
    throw new UsageError(`there is no org ${org} with syncs`, { hint: 'see: tidemark org list' });
  }
  if (engine.config.orgs === null) return { shown: names(all), orgs: null };
  const orgs = orgHealth(await engine.orgs.list(), await engine.overview(), []);
  if (orgs.length <= ORGS_SHOWN_MAX) return { shown: names(all), orgs: null };
  const unhealthy = orgs.filter(needsSomebody).map(({ name }) => name);
  const byState: { [state in OrgState]?: number } = {};
  for (const { state } of orgs) byState[state] = (byState[state] ?? 0) + 1;
  const shown = all.filter((each) => each.org === undefined || unhealthy.includes(each.org.name));
  return { shown: names(shown), orgs: { total: orgs.length, byState, unhealthy } };
}

/** What these syncs read and write. */
export function connectionsOf({ syncs, connections }: Config, names: readonly string[]): ReadonlySet<string> {
  const orgs = names.map((name) => syncs.get(name)?.org).filter((org) => org !== undefined);
  const own = [...connections.values()].filter(
    ({ org }) => org === undefined || orgs.some((each) => each.connection === org.connection && each.name === org.name),
  );
  return new Set(own.map(({ name }) => name));
}

export function renderOrgs({ total, byState, unhealthy }: OrgSummary): string {
  const states = Object.entries(byState).map(([state, count]) => `${count} ${state}`);
  const rest = unhealthy.length === 0 ? 'all of them are well' : `${unhealthy.length} need somebody: ${unhealthy.join(', ')}`;
  return `${total} orgs (${states.join(', ')}); ${rest}\n`;
}
