import { type Batch, type Row, rowsOfBlock, type Source, type SourceSpec, SyncError } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** A record of the dataset that the fixture keeps: fields `Id` (the key), `Name`, and `ModifiedAt` where there are stamps. */
export interface SourceRecord {
  readonly id: string;
  readonly name: string | null;
  readonly stampMs: number;
}

/**
 * One fresh, empty dataset, and its users who change it. A system that gives out keys and stamps by itself moves its clock to the
 * stamps that are asked for, and says in `keyOf` which keys it gave.
 */
export interface SourceFixture extends AsyncDisposable {
  open(spec?: Partial<Omit<SourceSpec, 'from'>>): Promise<Source>;
  /** Users create or change records, all in one go. A record that was removed comes back. */
  put(records: readonly SourceRecord[]): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
  /** The key of the record that was put as `id`, until the dataset is disposed of. Absent: `id` itself. */
  keyOf?(id: string): string;
  /** The field that holds the name, in a system where none called `Name` takes every text and null. */
  readonly nameField?: string;
}

/** What a source claims to do. */
export interface SourceTraits {
  /** It can tell what changed. */
  readonly delta: boolean;
  /** A delta tells of deleted records. */
  readonly deletes: boolean;
  readonly stamps: boolean;
  /** `false`: it holds changes and no state (`Source.changesOnly`), so that reading all of them stands for a full read. */
  readonly full?: false;
  /** Enough records for several pages of a full read. */
  readonly severalPages: number;
  readonly runs?: number;
}

const never = new AbortController().signal;
const dayMs = 86_400_000;
const noon = Date.UTC(2026, 0, 15, 12);

export function describeSourceContract(name: string, create: () => Promise<SourceFixture>, traits: SourceTraits): void {
  describe(`${name} keeps the source contract`, () => {
    describeFull(create, traits);
    if (traits.delta) describeDelta(create, traits);
    describeKeys(create, traits);
  });
}

function describeFull(create: () => Promise<SourceFixture>, traits: SourceTraits): void {
  test('its schema names key and stamp, whatever fields are asked for', async () => {
    await using fixture = await create();
    await using source = await fixture.open({ fields: [] });
    const names = source.schema.fields.map((field) => field.name);
    expect(names).toEqual(expect.arrayContaining([...source.schema.key]));
    expect(source.stampField !== undefined).toBe(traits.stamps);
    if (source.stampField !== undefined) {
      expect(source.schema.fields.find((field) => field.name === source.stampField)?.type).toBe('datetime');
    }
    const { nameField = 'Name' } = fixture;
    expect(names).not.toContain(nameField);
    await using without = await fixture.open({ exclude: [nameField] });
    expect(without.schema.fields.map((field) => field.name)).not.toContain(nameField);
    await using whole = await fixture.open();
    expect(whole.schema.fields.map((field) => field.name)).toContain(nameField);
    expect(source.origin).not.toBe('');
  });

  test('a full read of nothing yields no row', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    expect(await copyOf(fixture).readFull(source)).toEqual(new Map());
  });

  test.skipIf(traits.full === false)('a full read yields every record once, and its pages add up (P13)', async () => {
    await using fixture = await create();
    const records = numbered(traits.severalPages);
    await fixture.put(records);
    await using source = await fixture.open();
    const found: Row[] = [];
    let pages = 0;
    for await (const page of source.readFull(null, never)) {
      const rows: Row[] = [];
      for await (const block of page.blocks) rows.push(...rowsOfBlock(block, source.schema.fields));
      if (page.announced !== null) expect(rows).toHaveLength(page.announced);
      found.push(...rows);
      pages++;
    }
    expect(pages).toBeGreaterThan(1);
    const key = keysOf(fixture);
    expect(found.map((row) => row.Id).sort()).toEqual(records.map(({ id }) => key(id)).sort());
    expect(copyOf(fixture).add(found)).toEqual(new Map(records.map(({ id, name }) => [key(id), name])));
    const estimate = await source.estimate(never);
    if (estimate !== null) expect(estimate).toBeGreaterThan(0);
  });

  test.skipIf(traits.full === false)('a full read is resumed after any page that was kept (P1)', async () => {
    await using fixture = await create();
    await fixture.put(numbered(traits.severalPages));
    await using first = await fixture.open();
    let pages = 0;
    for await (const page of first.readFull(null, never)) {
      for await (const _ of page.blocks);
      pages++;
    }
    for (const last of new Set([0, Math.floor(pages / 2), pages - 1])) {
      // Each is left where it dies and not at its end, when a source may put away what it needs for resuming.
      const kept = copyOf(fixture);
      let position: string | null = null;
      let at = 0;
      await using source = await fixture.open();
      for await (const page of source.readFull(null, never)) {
        for await (const block of page.blocks) kept.add(rowsOfBlock(block, source.schema.fields));
        position = page.position;
        if (at++ === last) break;
      }
      await using other = await fixture.open();
      const rest = await copyOf(fixture).readFull(other, position);
      expect(new Set([...kept.rows.keys(), ...rest.keys()]).size).toBe(traits.severalPages);
      expect(rest.size).toBe(traits.severalPages - kept.rows.size);
    }
  });

  test.runIf(traits.full === false)('what holds no state says so, and refuses to be read in full', async () => {
    await using fixture = await create();
    await fixture.put(numbered(3));
    await using source = await fixture.open();
    expect(source.changesOnly).toBe(true);
    const read = async () => {
      for await (const _ of source.readFull(null, never));
    };
    await expect(read()).rejects.toThrow(SyncError);
  });

  test('a source that cannot tell what changed says so', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    expect((await source.mark(never)) !== null).toBe(traits.delta);
    expect(source.readDelta !== undefined).toBe(traits.delta);
  });
}

function describeDelta(create: () => Promise<SourceFixture>, traits: SourceTraits): void {
  test.skipIf(traits.full === false)(
    'a change made while a full read runs is found by the delta from its mark (P1, P12)',
    async () => {
      await using fixture = await create();
      await fixture.put(numbered(traits.severalPages));
      await using source = await fixture.open();
      const mark = (await source.mark(never))!;
      const copy = copyOf(fixture);
      let page = 0;
      for await (const each of source.readFull(null, never)) {
        for await (const block of each.blocks) copy.add(rowsOfBlock(block, source.schema.fields));
        // One record that was read already, one that will be read, one that sorts before all of them.
        if (page++ === 0) {
          await fixture.put([
            { id: idOf(1), name: 'changed behind', stampMs: noon + dayMs },
            { id: idOf(traits.severalPages - 1), name: 'changed ahead', stampMs: noon + dayMs },
            { id: '000', name: 'added', stampMs: noon + dayMs },
          ]);
        }
      }
      await copy.follow(source, mark);
      expect(copy.rows).toEqual(await copyOf(fixture).readFull(source));
    },
  );

  test('every change after the checkpoint is found, ties at the checkpoint included (P1)', () =>
    fc.assert(
      fc.asyncProperty(fc.array(roundOfChanges, { minLength: 1, maxLength: 4 }), async (rounds) => {
        await using fixture = await create();
        await using source = await fixture.open();
        const copy = copyOf(fixture);
        let checkpoint = (await source.mark(never))!;
        let stampMs = noon;
        for (const { changes, later } of rounds) {
          // Often the same second as the round before: a change that ties with the checkpoint, with any key.
          if (later) stampMs += 1000;
          const last = new Map(changes.map((change) => [change.id, change]));
          const removed = traits.deletes ? [...last.values()].filter(({ name }) => name === 'removed') : [];
          await fixture.put(
            [...last.values()].filter((change) => !removed.includes(change)).map((change) => ({ ...change, stampMs })),
          );
          await fixture.remove(removed.map(({ id }) => id));
          checkpoint = await copy.follow(source, checkpoint);
          expect(copy.rows).toEqual(await copyOf(fixture).readFull(source));
        }
      }),
      { numRuns: traits.runs ?? 20 },
    ));

  test('thousands of records with one stamp are found across page borders (P1)', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    const mark = (await source.mark(never))!;
    await fixture.put(numbered(traits.severalPages).map((record) => ({ ...record, stampMs: noon })));
    const copy = copyOf(fixture);
    await copy.follow(source, mark);
    expect(copy.rows.size).toBe(traits.severalPages);
  });

  test('a delta that breaks off goes on from the last checkpoint that was kept (P1)', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    const mark = (await source.mark(never))!;
    await fixture.put(numbered(traits.severalPages));
    const copy = copyOf(fixture);
    let kept = mark;
    // Until everything is there: a source that reads a stretch again with each delta always has one more batch.
    for (let attempts = 0; copy.rows.size < traits.severalPages; attempts++) {
      // Each attempt applies one batch and dies.
      const [batch] = await firstOf(source.readDelta!(kept, never));
      if (batch === undefined) break;
      copy.apply(batch);
      if (batch.checkpoint === null || batch.checkpoint === kept) {
        await copy.follow(source, kept);
        break;
      }
      kept = batch.checkpoint;
      expect(attempts).toBeLessThan(traits.severalPages);
    }
    expect(copy.rows).toEqual(await copyOf(fixture).readFull(source));
  });

  test('a checkpoint that it never gave is an error, not an empty answer (P1)', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    const read = async () => {
      for await (const _ of source.readDelta!('no checkpoint of ours', never));
    };
    await expect(read()).rejects.toThrow(SyncError);
  });
}

function describeKeys(create: () => Promise<SourceFixture>, traits: SourceTraits): void {
  test('records are read by key as they are now; what is gone is a delete (P4)', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    if (source.readKeys === undefined) return;
    await fixture.put(numbered(3));
    await fixture.put([{ id: idOf(0), name: 'it\'s "new"', stampMs: noon + 1000 }]);
    await fixture.remove([idOf(1)]);
    const [changed, removed, kept] = [0, 1, 2].map((n) => keysOf(fixture)(idOf(n))) as [string, string, string];
    const changes = await source.readKeys([changed, removed, kept, 'never was'], never);
    const byKey = new Map(changes.map((change) => [change.key, change]));
    expect(byKey.size).toBe(4);
    const { nameField = 'Name' } = fixture;
    expect(byKey.get(changed)).toMatchObject({ op: 'upsert', row: { Id: changed, [nameField]: 'it\'s "new"' } });
    if (traits.stamps) expect(byKey.get(changed)?.stampMs).toBe(noon + 1000);
    expect(byKey.get(removed)?.op).toBe('delete');
    expect(byKey.get(kept)?.op).toBe('upsert');
    expect(byKey.get('never was')).toMatchObject({ op: 'delete', row: null });
    expect(await source.readKeys([], never)).toEqual([]);
  });
}

const roundOfChanges = fc.record({
  later: fc.boolean(),
  changes: fc.array(
    fc.record({ id: fc.integer({ min: 1, max: 9 }).map(idOf), name: fc.constantFrom('one', 'two', 'removed', null) }),
    { maxLength: 6 },
  ),
});

function idOf(n: number): string {
  return `id${String(n).padStart(6, '0')}`;
}

function numbered(count: number): SourceRecord[] {
  return Array.from({ length: count }, (_, n) => ({ id: idOf(n), name: `name ${n}`, stampMs: noon + n * 10 }));
}

const keysOf =
  (fixture: SourceFixture) =>
  (id: string): string =>
    fixture.keyOf?.(id) ?? id;

/** What somebody knows who reads a dataset: names by key. */
function copyOf(fixture: SourceFixture): Copy {
  return new Copy(fixture.nameField ?? 'Name');
}

class Copy {
  readonly rows = new Map<string, string | null>();
  readonly #nameField: string;

  constructor(nameField: string) {
    this.#nameField = nameField;
  }

  add(rows: readonly Row[]): ReadonlyMap<string, string | null> {
    for (const row of rows) this.rows.set(String(row.Id), row[this.#nameField] as string | null);
    return this.rows;
  }

  apply(batch: Batch): void {
    for (const change of batch.changes) {
      if (change.row === null) this.rows.delete(change.key);
      else this.add([change.row]);
    }
  }

  async readFull(source: Source, resume: string | null = null): Promise<ReadonlyMap<string, string | null>> {
    if (source.changesOnly === true) {
      await this.follow(source, (await source.mark(never))!);
      return this.rows;
    }
    for await (const page of source.readFull(resume, never)) {
      for await (const block of page.blocks) this.add(rowsOfBlock(block, source.schema.fields));
    }
    return this.rows;
  }

  /** Applies a delta; answers the checkpoint to go on from. */
  async follow(source: Source, from: string): Promise<string> {
    let checkpoint = from;
    for await (const batch of source.readDelta!(from, never)) {
      this.apply(batch);
      checkpoint = batch.checkpoint ?? checkpoint;
    }
    return checkpoint;
  }
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  for await (const item of items) return [item];
  return [];
}
