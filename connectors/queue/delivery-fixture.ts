import { type Change, type DatasetSchema, newRow, type Row, type Target } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSource, openTarget, type Place } from './fixture.ts';

const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Version', type: 'integer', nullable: true },
  ],
};
const never = new AbortController().signal;

/** Where a process may die: the batch is not applied, it is applied and its checkpoint is lost, or both are kept. */
const deaths = fc.constantFrom('before', 'between', 'none', 'none');

/**
 * Several syncs fill a queue at the same time, each in a process of its own, and two others read it and die again and again. Whatever
 * comes between: each reader is told of every change, those of one record in their order, and ends with what was written last. (P1, P3)
 */
export function describeDelivery(name: string, create: () => Promise<Place>, runs: number): void {
  test(`${name}: nothing is skipped, however writers and readers run and die`, () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
        fc.array(deaths, { maxLength: 12 }),
        fc.array(deaths, { maxLength: 12 }),
        async (writers, ...fates) => {
          await using place = await create();
          await (await openTarget(place.connect(), schema)).prepare();
          let writing = true;
          const readers = fates.map((fate, i) => new Reader(place, `reader ${i}`, fate));
          const reading = readers.map(async (reader) => {
            // Often enough to read in the middle of what is written.
            for (let i = 0; i < 30 && writing; i++) await reader.attempt();
          });
          const written = await Promise.all(writers.map((batches, w) => write(place, `writer ${w}`, batches)));
          writing = false;
          await Promise.all(reading);
          for (const reader of readers) {
            while (!(await reader.attempt()));
            for (const [key, versions] of new Map(written.flatMap((each) => [...each]))) {
              // A repetition begins again with something that was told before; nothing is ever left out.
              expect(reader.told.get(key)!.filter((version, at, all) => all.indexOf(version) === at)).toEqual(versions);
              expect(reader.kept.get(key)).toBe(versions.at(-1));
            }
          }
          // All of it is acknowledged with the next read, and then put away.
          for (const reader of readers) await reader.attempt();
          expect(await (await openSource(place.connect(), { unit: 'late' })).estimate(never)).toBe(0);
        },
      ),
      { numRuns: runs },
    ));
}

/** Writes versions of records of its own; answers which, in order. */
async function write(place: Place, unit: string, batches: readonly (readonly number[])[]) {
  const target = await openTarget(place.connect(), schema, { unit });
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(unit);
  const versions = new Map<string, number[]>();
  let version = 0;
  for (const batch of batches) {
    const changes = [...new Set(batch)].map((n): Change => {
      const key = `${unit} ${n}`;
      const row = Object.assign<Row, Row>(newRow(), { Id: key, Version: ++version });
      versions.set(key, [...(versions.get(key) ?? []), version]);
      return { op: 'upsert', key, row, stampMs: 0 };
    });
    await append(target, changes, epoch, String(version));
  }
  return versions;
}

const append = (target: Target, changes: readonly Change[], epoch: number, checkpoint: string) =>
  target.write(changes, { epoch, settle: async () => checkpoint }, never);

/** A sync that reads, with a target that keeps its checkpoint with its data. What it keeps outlives its processes. */
class Reader {
  readonly told = new Map<string, number[]>();
  readonly kept = new Map<string, number>();
  readonly #place: Place;
  readonly #unit: string;
  readonly #fates: string[];
  #checkpoint: string | null = null;

  constructor(place: Place, unit: string, fates: readonly string[]) {
    this.#place = place;
    this.#unit = unit;
    this.#fates = [...fates];
  }

  /** One process's life; answers whether it came to the end of what was there. */
  async attempt(): Promise<boolean> {
    await using connection = this.#place.connect();
    const source = await openSource(connection, { unit: this.#unit });
    this.#checkpoint ??= await source.mark(never);
    for await (const { changes, checkpoint } of source.readDelta!(this.#checkpoint!, never)) {
      const fate = this.#fates.shift() ?? 'none';
      if (fate === 'before') return false;
      for (const { key, row } of changes) {
        const version = Number(row!.Version);
        const told = this.told.get(key) ?? [];
        // A version behind one that is kept would put an old value in the place of a newer one.
        expect(version).toBeGreaterThan(this.kept.get(key) ?? 0);
        this.told.set(key, [...told, version]);
      }
      if (fate === 'between') return false;
      for (const { key, row } of changes) this.kept.set(key, Number(row!.Version));
      this.#checkpoint = checkpoint;
    }
    return true;
  }
}
