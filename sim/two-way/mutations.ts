import type { Mutation } from '../lib/simulation.ts';

const merge = 'core/src/pipeline/two-way/merge-record.ts';
const decide = 'core/src/pipeline/two-way/decide-pair.ts';
const partners = 'core/src/pipeline/two-way/find-partners.ts';
const reconcile = 'core/src/pipeline/two-way/reconcile.ts';
const running = 'core/src/pipeline/two-way/run-pairing.ts';

/** Every safeguard of a two-way sync, taken away one at a time. */
export const mutations: readonly Mutation[] = [
  {
    name: 'whole rows are sent instead of the fields that differ',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: 'const row = sideRow(pairing, side, action.merge[side]);',
        replace: `const changed = action.merge[side];
  const whole = { ...shared(pairing, side, (side === 'left' ? left : right)!).row, ...changed };
  const row = sideRow(pairing, side, Object.keys(changed).length === 0 ? changed : whole);`,
      },
    ],
  },
  {
    name: 'the base is kept before the write is acknowledged',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: 'const agreed = action.merge.agreed.filter(({ after }) => after.every(acknowledged));',
        replace: 'const agreed = action.merge.agreed.filter(({ after }) => after.every(acknowledged) || true);',
      },
    ],
  },
  {
    name: 'the base is what was read back, not what was sent',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: 'await pairing.store.links.putLinks(pairing.name, kept);',
        replace: `for (const link of done.left.size === 0 ? [] : kept) {
    const [change] = await pairing.left.source.readKeys!([link.leftKey], new AbortController().signal);
    const base = JSON.parse(link.base);
    for (const { field, left } of pairing.fields) if (change?.row && base[field.name]) base[field.name].left = change.row[left] ?? null;
    Object.assign(link, { base: JSON.stringify(base) });
  }
  await pairing.store.links.putLinks(pairing.name, kept);`,
      },
    ],
  },
  {
    name: 'what the database holds is decided upon as it was read earlier, without its lock',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: 'const rightResults = await pairing.right.merge(',
        replace: `const early = new Map<string, { key: string; row: Row; atMs: null }>();
  for (const { key, row } of await pairing.right.source.readKeys!(rightKeys, signal)) if (row) early.set(key, { key, row, atMs: null });
  const rightResults = await pairing.right.merge(`,
      },
      {
        file: reconcile,
        find: "right: rows.get(pair.rightKey ?? '') ?? null",
        replace: "right: rows && (early.get(pair.rightKey ?? '') ?? null)",
      },
    ],
  },
  {
    name: 'partners are not looked for by the keys that records keep of each other',
    promise: 'P7',
    edits: [
      { file: partners, find: 'if (ownLink !== null) await add(', replace: 'if (ownLink === null) await add(' },
      { file: partners, find: 'if (there.link !== null) await add(', replace: 'if (there.link === null) await add(' },
    ],
  },
  {
    name: 'a conflict is kept after the overwrite',
    promise: 'P2',
    edits: [
      { file: reconcile, find: '      await keepConflicts(works, pairing);\n', replace: '' },
      {
        file: reconcile,
        find: '  const right = resultsOf(writes.right, rightResults);\n',
        replace: '  const right = resultsOf(writes.right, rightResults);\n  await keepConflicts(works, pairing);\n',
      },
    ],
  },
  {
    name: 'a delete that meets an edit deletes',
    promise: 'P7',
    edits: [
      {
        file: decide,
        find: 'return isEdited(row, base, there, rules) ?',
        replace: 'return isEdited(row, base, there, rules) && false ?',
      },
    ],
  },
  {
    name: 'a record that one side deleted is made again from the other',
    promise: 'P7',
    edits: [
      {
        file: decide,
        find: "if (link === null || link.gone === 'both') return create",
        replace: "if (link === null || link.gone === 'both' || isEdited(row, base, there, rules)) return create",
      },
    ],
  },
  {
    name: 'values that go to and fro do so for ever',
    promise: 'P7',
    edits: [{ file: merge, find: 'const BOUNCES_MAX = 4;', replace: 'const BOUNCES_MAX = Number.POSITIVE_INFINITY;' }],
  },
  {
    name: 'refused records are not tried again',
    promise: 'P2',
    edits: [{ file: running, find: '      await retryDue(pairing, { signal: scope.signal, tally });\n', replace: '' }],
  },
  {
    name: 'the position is kept before its records are brought together',
    promise: 'P1',
    edits: [
      {
        file: running,
        find: '      scope.tally.window(window);\n',
        replace: `      scope.tally.window(window);
      if (checkpoint !== null) await keep(run, { ...positions, [side]: checkpoint });
`,
      },
    ],
  },
  {
    name: 'a record whose partner went before both were linked is a new one',
    promise: 'P7',
    edits: [{ file: decide, find: "  if (link === null && orphaned) return { kind: 'contested', gone };\n", replace: '' }],
  },
  {
    name: 'of records that match as well the first one is taken',
    promise: 'P7',
    edits: [{ file: partners, find: '    await refuseTwins(pairing, side, lonely, wanted, found, signal);\n', replace: '' }],
  },
  {
    name: 'what is agreed with the database is kept only after the org is written',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: '  await keepLinks(works, pairing, { left: new Map(), right }, writes);\n',
        replace: '  if (writes.left.size === 0) await keepLinks(works, pairing, { left: new Map(), right }, writes);\n',
      },
    ],
  },
  {
    name: 'what somebody decided is done to whatever the record has become since',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: 'made.conflict.field === null && isAsShown(pair, made, pairing)',
        replace: 'made.conflict.field === null && (isAsShown(pair, made, pairing) || true)',
      },
    ],
  },
  {
    name: 'what goes with a deleted record and never flowed is not told',
    promise: 'P7',
    edits: [
      {
        file: reconcile,
        find: 'if (action.decided || !holdsItsOwn(work, action.on, pairing)) return [];',
        replace: 'if (action.decided || holdsItsOwn(work, action.on, pairing) || true) return [];',
      },
    ],
  },
];
