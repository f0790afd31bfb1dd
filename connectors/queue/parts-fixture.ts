import { expect, test } from 'vitest';
import { openSource, openTarget, type Place, readAll, schema } from './fixture.ts';

const never = new AbortController().signal;
const OF = 3;
const units = Array.from({ length: OF }, (_, index) => `shared.${index + 1}of${OF}`);

/** Several readers share a queue: together they are told of everything, each record by one of them, in its order. (P1, P3) */
export function describeParts(name: string, create: () => Promise<Place>): void {
  test(`${name}: parts are told of everything together, and nothing is put away before each has read it (P1, P3)`, async () => {
    await using place = await create();
    const writer = await openTarget(place.connect(), schema);
    await writer.prepare();
    const { epoch } = await writer.checkpoints!.acquire('producer');
    const write = (version: number) =>
      writer.write(
        Array.from({ length: 40 }, (_, i) => {
          const Id = `k${i}`;
          return { op: 'upsert' as const, key: Id, row: { Id, Name: `${version}` }, stampMs: 0 };
        }),
        { epoch, settle: async () => null },
        never,
      );
    await write(1);
    const read = new Map<string, string[]>();
    const readers = await Promise.all(
      units.map(async (unit, index) => {
        const source = await openSource(place.connect(), { unit, part: { index, of: OF, units } });
        let checkpoint = (await source.mark(never))!;
        const byKey = new Map<string, string[]>();
        return {
          source,
          byKey,
          async read() {
            const found = await readAll(source, checkpoint);
            checkpoint = found.checkpoint;
            for (const { key, row } of found.changes) byKey.set(key, [...(byKey.get(key) ?? []), String(row!.Name)]);
          },
        };
      }),
    );
    // One is far ahead of the others, and has acknowledged all that there is.
    await readers[0]!.read();
    await readers[0]!.read();
    await write(2);
    for (const reader of [...readers, ...readers]) await reader.read();
    for (const { byKey } of readers) {
      expect(byKey.size).toBeGreaterThan(0);
      for (const [key, versions] of byKey) {
        expect(read.has(key)).toBe(false);
        read.set(key, versions);
      }
    }
    expect([...read.keys()].sort()).toEqual(Array.from({ length: 40 }, (_, i) => `k${i}`).sort());
    for (const versions of read.values()) expect(versions).toEqual(['1', '2']);
    expect(await readers[0]!.source.estimate(never)).toBe(0);
    // Another part of the same queue has nothing to say of what is not its own.
    await write(3);
    expect(
      new Set((await readAll(readers[1]!.source, (await readers[1]!.source.mark(never))!)).changes.map(({ key }) => key)),
    ).toEqual(new Set(readers[1]!.byKey.keys()));
  });
}
