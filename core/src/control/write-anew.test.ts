import { expect, test } from 'vitest';
import { altered, World } from './fixture.ts';

// What was written is left alone while the source has not changed it, also by a target that cannot compare (P8); but who asks for it
// to be written anew has it written: somebody else may have changed it there.                                          (P12)

test('a full run, a refetch and a repair write what has not changed; the overlap of a delta does not', async () => {
  let written: string[] = [];
  const yaml = `
connections: { a: { type: a }, b: { type: b } }
syncs: { s: { from: { connection: a, dataset: people }, to: { connection: b, dataset: copy } } }
`;
  const world = await new World(yaml, {
    target: (target) =>
      altered(target, {
        beginLoad: undefined,
        compares: false,
        write: (changes, commit, signal) => {
          written.push(...changes.map(({ key }) => key));
          return target.write(changes, commit, signal);
        },
      }),
  }).open();
  const writtenNow = () => {
    const now = written.toSorted();
    written = [];
    return now;
  };
  world.put('1', 'Ada', 1);
  world.put('2', 'Grace', 2);
  await world.run();
  expect(writtenNow()).toEqual(['1', '2']);
  await world.run();
  expect(writtenNow()).toEqual([]);
  await world.run({ full: true });
  expect(writtenNow()).toEqual(['1', '2']);
  await using engine = world.engine();
  await engine.refetch('s', ['2'], { signal: new AbortController().signal });
  expect(writtenNow()).toEqual(['2']);
  // Somebody takes a record out of the target.
  world.target.dataset('copy').remove('1', world.clock.at);
  const verdict = await world.verify(true);
  expect(writtenNow()).toEqual(['1']);
  expect(verdict.differences).toBe(1);
});

test('what a source brings late, with an older stamp, is not written over what is newer (P3)', async () => {
  const written: string[] = [];
  const yaml = `
connections: { a: { type: a }, b: { type: b } }
syncs: { s: { from: { connection: a, dataset: people }, to: { connection: b, dataset: copy } } }
`;
  let late = false;
  const world = await new World(yaml, {
    source: (source) =>
      altered(source, {
        async *readDelta(from, signal) {
          for await (const batch of source.readDelta!(from, signal)) {
            const changes = batch.changes.map((change) =>
              late ? { ...change, row: { ...change.row, name: 'old' }, stampMs: 1 } : change,
            );
            yield { ...batch, changes };
          }
        },
      }),
    target: (target) =>
      altered(target, {
        beginLoad: undefined,
        compares: false,
        write: (changes, commit, signal) => {
          written.push(...changes.map(({ row }) => String(row?.name)));
          return target.write(changes, commit, signal);
        },
      }),
  }).open();
  world.put('1', 'new', 1);
  await world.run();
  late = true;
  world.put('1', 'newer', 2);
  expect(await world.run()).toMatchObject({ counts: { unchanged: 1, updated: 0 } });
  expect(written).toEqual(['new']);
});
