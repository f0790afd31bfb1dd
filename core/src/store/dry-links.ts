import type { Conflict, Link, LinkStore } from './links.ts';

/** Links and conflicts as they are, and beside them what a run that is only thought of would have kept. */
export function dryLinks(links: LinkStore): LinkStore {
  /** By their left keys, within a sync. */
  const kept = new Map<string, Map<string, Link>>();
  const conflicts = new Map<string, Conflict>();
  const gone = new Set<string>();
  let made = 0;

  const own = (sync: string) => kept.get(sync) ?? new Map<string, Link>();
  /** What a later link has not taken the place of. */
  const standing = (sync: string, found: readonly Link[]) => {
    const newer = [...own(sync).values()];
    const taken = { left: new Set(newer.map(({ leftKey }) => leftKey)), right: new Set(newer.map(({ rightKey }) => rightKey)) };
    return found.filter(({ leftKey, rightKey }) => !taken.left.has(leftKey) && !taken.right.has(rightKey));
  };
  const change = (ids: readonly string[], become: (conflict: Conflict) => Conflict) => {
    for (const id of ids) {
      const known = conflicts.get(id);
      if (known !== undefined) conflicts.set(id, become(known));
    }
  };

  const dry: LinkStore = {
    async linksByLeft(sync, keys) {
      const found = standing(sync, await links.linksByLeft(sync, keys));
      return [...found, ...keys.flatMap((key) => own(sync).get(key) ?? [])];
    },
    async linksByRight(sync, keys) {
      const wanted = new Set(keys);
      const found = standing(sync, await links.linksByRight(sync, keys));
      return [...found, ...[...own(sync).values()].filter(({ rightKey }) => wanted.has(rightKey))];
    },
    async putLinks({ sync }, more) {
      const known = own(sync);
      kept.set(sync, known);
      for (const link of more) {
        for (const [key, { rightKey }] of known) if (rightKey === link.rightKey) known.delete(key);
        known.set(link.leftKey, link);
      }
    },
    async linksAfter(sync, leftKey, limit) {
      const found = await links.linksAfter(sync, leftKey, limit);
      const last = found.length < limit ? null : found.at(-1)!.leftKey;
      const added = [...own(sync).values()].filter((link) => link.leftKey > leftKey && (last === null || link.leftKey <= last));
      const all = [...standing(sync, found), ...added].sort((a, b) => (a.leftKey < b.leftKey ? -1 : 1));
      // None would be taken for the end.
      return all.length > 0 || last === null ? all : dry.linksAfter(sync, last, limit);
    },
    countLinks: (sync) => links.countLinks(sync),
    removeGoneLinks: async () => 0,
    async putConflicts(_owner, more) {
      return more.map((conflict) => {
        const id = `new ${made++}`;
        conflicts.set(id, { ...conflict, id });
        return id;
      });
    },
    async conflicts(filter) {
      const { sync, state, ids, keys, limit } = filter;
      const states = state === undefined ? null : [state].flat();
      const pairs = keys?.map(({ leftKey, rightKey }) => JSON.stringify([leftKey, rightKey]));
      const found = (await links.conflicts(filter)).filter(({ id }) => !gone.has(id));
      const added = [...conflicts.values()].filter(
        (each) =>
          (sync === undefined || each.sync === sync) &&
          (states === null || states.includes(each.state)) &&
          (ids === undefined || ids.includes(each.id)) &&
          (pairs === undefined || pairs.includes(JSON.stringify([each.leftKey, each.rightKey]))),
      );
      return [...added, ...found].slice(0, limit);
    },
    async settleConflicts(ids, { why, value }) {
      change(ids, (conflict) => ({ ...conflict, state: 'settled', why, outcome: value }));
      for (const id of ids) gone.add(id);
    },
    confirmConflicts: (written) => dry.presumeConflicts(written.map(({ id }) => id)),
    async presumeConflicts(ids) {
      change(ids, (conflict) => ({ ...conflict, state: 'settled' }));
      for (const id of ids) gone.add(id);
    },
    async dropConflicts(ids) {
      for (const id of ids) {
        conflicts.delete(id);
        gone.add(id);
      }
    },
    removeLinks: async () => {},
  };
  return dry;
}
