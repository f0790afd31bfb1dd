import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { type Altered, altered, World } from './fixture.ts';

// A target may know its records by another key than the source: rows that a function makes, an external id. What is refused is then
// still one record of the source, or one of the target, and neither is forgotten or overtaken.                        (P1, P2, P3)

const folder = mkdtempSync(join(tmpdir(), 'tidemark-own-key-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const open = (sync: string, sides: Altered = {}) =>
  new World(
    `
connections: { a: { type: a }, b: { type: b } }
syncs: { s: { from: { connection: a, dataset: people }, deletes: ignore, retry: { attempts: 1 }, ${sync} } }
`,
    sides,
  ).open();

/** A person of score n has n letters, each a row of its own. A score below zero cannot be handled. */
const letters = `
export const fields = { letter: 'text', from: 'text', of: 'integer' };
export default (records) =>
  records.flatMap(({ id, name, score }) => {
    if (score < 0) throw new Error('no score below zero');
    return Array.from({ length: score }, (_, i) => ({ letter: name + i, from: id, of: score }));
  });`;
writeFileSync(join(folder, 'letters.ts'), letters);
writeFileSync(join(folder, 'letters-of.ts'), letters.replace('({ letter:', '({ id, letter:'));
const run = (file = 'letters.ts') => `steps: [{ run: ${join(folder, file)} }], to: { connection: b, dataset: copy, key: letter }`;

test('one record becomes several, by keys that a function makes', async () => {
  const world = await open(`${run()}, fields: { letter: letter, from: from }`);
  world.put('1', 'a', 2);
  world.put('2', 'b', 1);
  world.put('3', 'c', 0);
  expect(await world.run()).toMatchObject({ state: 'succeeded', counts: { created: 3, dropped: 1 } });
  expect(Object.keys(world.held()).toSorted()).toEqual(['a0', 'a1', 'b0']);
  expect(world.held().a1).toEqual({ letter: 'a1', from: '1' });
  world.put('1', 'a', 3);
  world.remove('2');
  expect(await world.run()).toMatchObject({ state: 'succeeded', counts: { created: 1 } });
  expect(await world.run({ full: true })).toMatchObject({ state: 'succeeded', counts: { created: 0, deleted: 0 } });
  expect(Object.keys(world.held()).toSorted()).toEqual(['a0', 'a1', 'a2', 'b0']);
});

test.each([
  ['letters.ts', [2, 1, 1]],
  ['letters-of.ts', [2]],
] as const)('a function is handed many records when it tells of which each row is made: %s', async (file, calls) => {
  const counted = join(folder, `counted-${file}`);
  writeFileSync(
    counted,
    letters
      .replace('records.flatMap', '(globalThis.letterCalls.push(records.length), records).flatMap')
      .replace('({ letter:', file === 'letters-of.ts' ? '({ id, letter:' : '({ letter:'),
  );
  const seen: number[] = [];
  (globalThis as Record<string, unknown>).letterCalls = seen;
  const world = await open(`steps: [{ run: ${counted} }], to: { connection: b, dataset: copy, key: letter }`);
  world.put('1', 'a', 1);
  world.put('2', 'b', 1);
  await world.run();
  expect(seen).toEqual(calls);
  expect(Object.keys(world.held()).toSorted()).toEqual(['a0', 'b0']);
});

test('a field of the source may be the key, where the source has another', async () => {
  const world = await open('to: { connection: b, dataset: copy, key: who }, fields: { who: name, score: score }');
  world.put('1', 'Ada', 1);
  world.put('2', 'Ada', 2);
  await world.run();
  expect(world.held()).toEqual({ Ada: { who: 'Ada', score: 2 } });
});

test('a record that a function cannot handle is one failure; its later version takes its place (P2, P3)', async () => {
  const world = await open(run());
  world.put('1', 'a', -1);
  world.put('2', 'b', 1);
  expect(await world.run()).toMatchObject({ counts: { failed: 1, created: 1 } });
  expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: '1', message: 'no score below zero' }]);
  world.put('1', 'a', 1);
  await world.run();
  expect(await world.store.failures({ sync: 's' })).toEqual([]);
  expect(Object.keys(world.held()).toSorted()).toEqual(['a0', 'b0']);
});

test('a row that the target refuses is kept by its own key, and later ones wait with it (P2)', async () => {
  const world = await open('to: { connection: b, dataset: copy, key: who }, fields: { who: name, id: id, score: score }');
  world.poison.add('1');
  world.put('1', 'Ada', 1);
  await world.run();
  expect(await world.store.failures({ sync: 's' })).toMatchObject([{ key: 'Ada', row: { score: 1 } }]);
  world.put('2', 'Ada', 2);
  await world.run();
  expect(world.held()).toEqual({});
  await using engine = world.engine();
  await engine.retry('s', { ids: (await world.store.failures({})).map(({ id }) => id), signal: never });
  expect(world.held()).toEqual({ Ada: { who: 'Ada', id: '2', score: 2 } });
  expect(await world.store.failures({ sync: 's' })).toEqual([]);
});

test('what cannot be right is said, with what to write', async () => {
  const problems = async (sync: string) => {
    const world = await new World(`
connections: { a: { type: a }, b: { type: b } }
syncs: { s: { from: { connection: a, dataset: people }, ${sync} } }
`).open();
    await using engine = world.engine();
    return (await engine.check(never)).map(({ place, message, hint }) => `${place}: ${message} (${hint})`);
  };
  const other = 'to: { connection: b, dataset: copy, key: who }, fields: { who: name }';
  expect(await problems(other)).toEqual([expect.stringMatching(/^syncs\.s\.to\.key: is another key .*write deletes: ignore/)]);
  expect(await problems(`${other.replace('key: who', 'key: nobody')}, deletes: ignore`)).toEqual([
    expect.stringMatching(/nobody does not reach the target .*map nobody in fields:/),
  ]);
  expect(await problems(`${other}, deletes: ignore`)).toEqual([]);
  const world = await open(other);
  world.put('1', 'Ada', 1);
  await world.run();
  await expect(world.verify()).rejects.toThrow('another key than its source has');
});

test('however runs break off, all rows that were to be made are there, and none that was not (P1, P3)', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('1', '2', '3'), fc.integer({ min: -1, max: 3 }), fc.option(fc.nat(12))), {
        maxLength: 12,
      }),
      fc.boolean(),
      async (story, canRead) => {
        const sides: Altered = canRead ? {} : { source: (source) => altered(source, { readKeys: undefined }) };
        const world = await open(run(), sides);
        const made = new Set<string>();
        const now = new Map<string, number>();
        for (const [id, score, failAfter] of story) {
          world.put(id, `n${id}-`, score);
          now.set(id, score);
          world.failAfter = failAfter;
          await world.run().catch(() => {});
          for (let i = 0; i < score; i++) made.add(`n${id}-${i}`);
        }
        world.failAfter = null;
        await world.run();
        const held = world.held() as Record<string, { of: number }>;
        for (const [id, score] of now) {
          for (let i = 0; i < score; i++) expect([id, i, held[`n${id}-${i}`]?.of]).toEqual([id, i, score]);
        }
        expect(Object.keys(held).filter((key) => !made.has(key))).toEqual([]);
        const failing = (await world.store.failures({ sync: 's' })).map(({ key }) => key).toSorted();
        expect(failing).toEqual([...now].flatMap(([id, score]) => (score < 0 ? [id] : [])).toSorted());
      },
    ),
    { numRuns: 60 },
  ));
