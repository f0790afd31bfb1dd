import { inFile } from '../lib/in-file.ts';
import type { Mutation } from '../lib/simulation.ts';

const merge = inFile('core/src/pipeline/two-way/merge-record.ts');
const decide = inFile('core/src/pipeline/two-way/decide-pair.ts');
const partners = inFile('core/src/pipeline/two-way/find-partners.ts');
const reconcile = inFile('core/src/pipeline/two-way/reconcile.ts');
const conflicts = inFile('core/src/pipeline/two-way/conflicts.ts');
const running = inFile('core/src/pipeline/two-way/run-pairing.ts');
const store = inFile('core/src/store/sql-links.ts');
const client = inFile('connectors/salesforce/client.ts');
const sending = inFile('connectors/salesforce/write/send-patiently.ts');

/** Every safeguard of a two-way sync, taken away one at a time. */
export const mutations: readonly Mutation[] = [
  {
    name: 'whole rows are sent instead of the fields that differ',
    promise: 'P7',
    edits: [
      reconcile(
        'const row = sideRow(pairing, side, action.merge[side]);',
        `const changed = action.merge[side];
  const whole = { ...shared(pairing, side, (side === 'left' ? left : right)!).row, ...changed };
  const row = sideRow(pairing, side, Object.keys(changed).length === 0 ? changed : whole);`,
      ),
    ],
  },
  {
    name: 'the base is kept before the write is acknowledged',
    promise: 'P7',
    edits: [
      reconcile(
        'const agreed = action.merge.agreed.filter(({ after }) => after.every(acknowledged));',
        'const agreed = action.merge.agreed.filter(({ after }) => after.every(acknowledged) || true);',
      ),
    ],
  },
  {
    name: 'the base is what was read back, not what was sent',
    promise: 'P7',
    edits: [
      reconcile(
        'await pairing.store.links.putLinks(ownerOf(pairing), kept);',
        `for (const link of done.left.size === 0 ? [] : kept) {
    const [change] = await pairing.left.source.readKeys!([link.leftKey], new AbortController().signal);
    const base = JSON.parse(link.base);
    for (const { field, left } of pairing.fields) if (change?.row && base[field.name]) base[field.name].left = change.row[left] ?? null;
    Object.assign(link, { base: JSON.stringify(base) });
  }
  await pairing.store.links.putLinks(ownerOf(pairing), kept);`,
      ),
    ],
  },
  {
    name: 'what the database holds is decided upon as it was read earlier, without its lock',
    promise: 'P7',
    edits: [
      reconcile(
        'const rightResults = await pairing.right.merge(',
        `const early = new Map<string, { key: string; row: Row; atMs: null }>();
  for (const { key, row } of await pairing.right.source.readKeys!(rightKeys, signal)) if (row) early.set(key, { key, row, atMs: null });
  const rightResults = await pairing.right.merge(`,
      ),
      reconcile("right: rows.get(pair.rightKey ?? '') ?? null", "right: rows && (early.get(pair.rightKey ?? '') ?? null)"),
    ],
  },
  {
    name: 'partners are not looked for by the keys that records keep of each other',
    promise: 'P7',
    edits: [
      partners('if (ownLink !== null) await add(', 'if (ownLink === null) await add('),
      partners('if (there.link !== null) await add(', 'if (there.link === null) await add('),
    ],
  },
  {
    name: 'a conflict is kept after the overwrite',
    promise: 'P2',
    edits: [
      reconcile('      records = await keepConflicts(works, pairing, open);\n', ''),
      reconcile(
        '  const right = resultsOf(writes.right, rightResults);\n',
        '  const right = resultsOf(writes.right, rightResults);\n  records = await keepConflicts(works, pairing, []);\n',
      ),
    ],
  },
  {
    name: 'a delete that meets an edit deletes',
    promise: 'P7',
    edits: [decide('return isEdited(row, base, there, rules) ?', 'return isEdited(row, base, there, rules) && false ?')],
  },
  {
    name: 'a record that one side deleted is made again from the other',
    promise: 'P7',
    edits: [
      decide(
        "if (link === null || link.gone === 'both') return create",
        "if (link === null || link.gone === 'both' || isEdited(row, base, there, rules)) return create",
      ),
    ],
  },
  {
    name: 'values that go to and fro do so for ever',
    promise: 'P7',
    edits: [merge('const BOUNCES_MAX = 4;', 'const BOUNCES_MAX = Number.POSITIVE_INFINITY;')],
  },
  {
    name: 'refused records are not tried again',
    promise: 'P2',
    edits: [running('await retryDue(pairing, { signal: scope.signal, tally });', '')],
  },
  {
    name: 'the position is kept before its records are brought together',
    promise: 'P1',
    edits: [
      running(
        '      scope.tally.window(window);\n',
        `      scope.tally.window(window);
      if (checkpoint !== null) await keep(run, { ...positions, [side]: checkpoint });
`,
      ),
    ],
  },
  {
    name: 'a record whose partner went before both were linked is a new one',
    promise: 'P7',
    edits: [decide("  if (link === null && orphaned) return { kind: 'contested', gone };\n", '')],
  },
  {
    name: 'of records that match as well the first one is taken',
    promise: 'P7',
    edits: [partners('    await refuseTwins(pairing, side, lonely, wanted, found, signal);\n', '')],
  },
  {
    name: 'what is agreed with the database is kept only after the org is written',
    promise: 'P7',
    edits: [
      reconcile(
        '  await keepLinks(works, pairing, { left: new Map(), right }, writes);\n',
        '  if (writes.left.size === 0) await keepLinks(works, pairing, { left: new Map(), right }, writes);\n',
      ),
    ],
  },
  {
    name: 'what somebody decided is done to whatever the record has become since',
    promise: 'P7',
    edits: [
      reconcile(
        'made.conflict.field === null && isAsShown(pair, made, pairing)',
        'made.conflict.field === null && (isAsShown(pair, made, pairing) || true)',
      ),
    ],
  },
  {
    name: 'what goes with a deleted record and never flowed is not told',
    promise: 'P7',
    edits: [
      conflicts(
        'if (action.decided || !holdsItsOwn(work, action.on, pairing)) return [];',
        'if (action.decided || holdsItsOwn(work, action.on, pairing) || true) return [];',
      ),
    ],
    test: {
      file: 'core/src/pipeline/two-way/reconcile.test.ts',
      name: 'takes the record with it, and what was changed in a field that may not flow is told',
    },
  },
  {
    name: 'an overwrite that comes through after somebody has dropped it is not told',
    promise: 'P2',
    edits: [store('if (!known.has(conflict.id)) await putBack', 'if (!known.has(conflict.id) && false) await putBack')],
    test: {
      file: 'core/src/pipeline/two-way/conflicts.test.ts',
      name: 'whose write to the org comes through after the new owner has looked tells the overwrite',
    },
  },
  {
    name: 'what was decided a moment ago is sent again when its reply was lost',
    promise: 'P7',
    edits: [client("salesforceCode(error) === 'SERVER_UNAVAILABLE' :", "salesforceCode(error) !== 'none' :")],
    test: {
      file: 'connectors/salesforce/side/side.test.ts',
      name: 'whose reply was lost is not sent again: the run begins anew',
    },
  },
  {
    name: 'locked records are sent what was decided for them, however long ago that was',
    promise: 'P7',
    edits: [sending('if (clock.now() > freshUntilMs) {', 'if (clock.now() > freshUntilMs && false) {')],
    test: {
      file: 'connectors/salesforce/write/send-patiently.test.ts',
      name: 'what was decided a moment ago is not sent later: locked records stay refused, others are decided anew',
    },
  },
];
