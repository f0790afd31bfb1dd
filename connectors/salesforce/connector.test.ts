import { createClock } from '@tidemark/emulator';
import { describeSourceContract, type SourceFixture, type SourceRecord } from '@tidemark/testkit';
import { from } from './config.ts';
import { signal, testOrg } from './fixture.ts';

/*
 * The contract runs against an org that gives out ids and stamps by itself. What it rests on and how that is known:
 *
 * - `SystemModstamp` has whole seconds, and is the org's own time at the write (documented: Object Reference, System Fields).
 * - Deleted records come along in queryAll with `IsDeleted` (documented: REST API Developer Guide, QueryAll).
 * - That an undelete moves `SystemModstamp`, so that a delta finds it, is assumed; full runs do not rest on it.
 * - Pages of a Bulk result and their counts (documented: Bulk API 2.0 Developer Guide, Get Results for a Query Job).
 */

/** Every contact needs a last name and composes its name of it; this field takes any text, and null. */
const nameField = 'Description';

async function createSource(asked: object): Promise<SourceFixture> {
  // Time stands still but for the stamps that are asked for.
  const clock = createClock();
  const start = Date.UTC(2026, 0, 15, 11, 59);
  clock.freeze(start);
  const emulated = await testOrg({ clock });
  const { org } = emulated.emulator;
  const ids = new Map<string, string>();
  const removed = new Set<string>();

  const moveTo = (stampMs: number) => clock.freeze(Math.max(clock.now(), stampMs));

  /** Stamps of their own for thousands of records: as they are after a migration that was let set audit fields. */
  function load(records: readonly SourceRecord[]): void {
    const rows = records.map(({ name, stampMs }) => {
      const stamp = new Date(Math.floor(stampMs / 1000) * 1000).toISOString();
      return { LastName: 'Contact', [nameField]: name, CreatedDate: stamp, LastModifiedDate: stamp, SystemModstamp: stamp };
    });
    const known = new Set(ids.values());
    org.load('Contact', rows);
    const made = org.query('SELECT Id FROM Contact ORDER BY Id').page(0, known.size + rows.length, 'v62.0');
    const fresh = made.map((record) => (record as { Id: string }).Id).filter((id) => !known.has(id));
    records.forEach(({ id }, i) => {
      ids.set(id, fresh[i]!);
    });
  }

  return {
    nameField,
    keyOf: (id) => ids.get(id) ?? id,
    open: (spec) =>
      emulated.connect().openSource!(
        { from: from.parse(asked), where: undefined, fields: null, exclude: [], startAtMs: null, ...spec },
        signal,
      ),
    async put(records) {
      moveTo(Math.max(...records.map(({ stampMs }) => stampMs)));
      if (records.length > 1 && records.every(({ id }) => !ids.has(id))) return load(records);
      org.write((tx) => {
        for (const { id, name } of records) {
          const known = ids.get(id);
          if (removed.delete(id)) tx.undelete('Contact', known!);
          if (known === undefined) ids.set(id, tx.insert('Contact', { LastName: 'Contact', [nameField]: name }).id);
          else tx.update('Contact', known, { [nameField]: name });
        }
      });
    },
    async remove(gone) {
      org.write((tx) => {
        for (const id of gone) {
          const known = ids.get(id);
          if (known === undefined || removed.has(id)) continue;
          tx.delete('Contact', known);
          removed.add(id);
        }
      });
    },
    [Symbol.asyncDispose]: () => emulated[Symbol.asyncDispose](),
  };
}

const traits = { delta: true, deletes: true, stamps: true, severalPages: 4_500 };
describeSourceContract('salesforce (REST)', () => createSource({ object: 'Contact' }), { ...traits, runs: 10 });
describeSourceContract('salesforce (Bulk API 2.0)', () => createSource({ object: 'Contact', bulkAbove: 0, pageRows: 1_000 }), {
  ...traits,
  runs: 3,
});
