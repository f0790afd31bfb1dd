import { type Batch, type Row, rowsOfBlock, type Source, type SourceSpec, SyncError } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** A record of the dataset that the fixture keeps: fields `Id` (the key), `Name`, and `ModifiedAt` where there are stamps. */
export interface SourceRecord {
  readonly id: string;
  readonly name: string | null;
  readonly stampMs: number;
}

/** One fresh, empty dataset, and its users who change it. */
export interface SourceFixture extends AsyncDisposable {
  open(spec?: Partial<Omit<SourceSpec, 'from'>>): Promise<Source>;
  /** Users create or change records, all in one go. */
  put(records: readonly SourceRecord[]): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
}

/** What a source claims to do. */
export interface SourceTraits {
  /** It can tell what changed. */
  readonly delta: boolean;
  /** A delta tells of deleted records. */
  readonly deletes: boolean;
  readonly stamps: boolean;
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
    expect(names).not.toContain('Name');
    await using without = await fixture.open({ exclude: ['Name'] });
    expect(without.schema.fields.map((field) => field.name)).not.toContain('Name');
    await using whole = await fixture.open();
    expect(whole.schema.fields.map((field) => field.name)).toContain('Name');
    expect(source.origin).not.toBe('');
  });

  test('a full read of nothing yields no row', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    expect(await readFull(source)).toEqual(new Map());
  });

  test('a full read yields every record once, and its pages add up (P13)', async () => {
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
    expect(found.map((row) => row.Id).sort()).toEqual(records.map(({ id }) => id).sort());
    expect(new Map(found.map((row) => [row.Id, row.Name]))).toEqual(new Map(records.map(({ id, name }) => [id, name])));
    const estimate = await source.estimate(never);
    if (estimate !== null) expect(estimate).toBeGreaterThan(0);
  });

  test('a full read is resumed after any page that was kept (P1)', async () => {
    await using fixture = await create();
    await fixture.put(numbered(traits.severalPages));
    await using source = await fixture.open();
    const positions: string[] = [];
    const kept: Set<string>[] = [];
    const ids = new Set<string>();
    for await (const page of source.readFull(null, never)) {
      for await (const block of page.blocks) {
        for (const row of rowsOfBlock(block, source.schema.fields)) ids.add(String(row.Id));
      }
      positions.push(page.position);
      kept.push(new Set(ids));
    }
    for (const at of new Set([0, Math.floor(positions.length / 2), positions.length - 1])) {
      await using other = await fixture.open();
      const rest = await readFull(other, positions[at]!);
      expect(new Set([...kept[at]!, ...rest.keys()]).size).toBe(traits.severalPages);
      expect(rest.size).toBe(traits.severalPages - kept[at]!.size);
    }
  });

  test('a source that cannot tell what changed says so', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    expect((await source.mark(never)) !== null).toBe(traits.delta);
    expect(source.readDelta !== undefined).toBe(traits.delta);
  });
}

function describeDelta(create: () => Promise<SourceFixture>, traits: SourceTraits): void {
  test('a change made while a full read runs is found by the delta from its mark (P1, P12)', async () => {
    await using fixture = await create();
    await fixture.put(numbered(traits.severalPages));
    await using source = await fixture.open();
    const mark = (await source.mark(never))!;
    const copy = new Map<string, string | null>();
    let page = 0;
    for await (const each of source.readFull(null, never)) {
      for await (const block of each.blocks) addRows(copy, rowsOfBlock(block, source.schema.fields));
      // One record that was read already, one that will be read, one that sorts before all of them.
      if (page++ === 0) {
        await fixture.put([
          { id: idOf(1), name: 'changed behind', stampMs: noon + dayMs },
          { id: idOf(traits.severalPages - 1), name: 'changed ahead', stampMs: noon + dayMs },
          { id: '000', name: 'added', stampMs: noon + dayMs },
        ]);
      }
    }
    await follow(source, mark, copy);
    expect(copy).toEqual(await readFull(source));
  });

  test('every change after the checkpoint is found, ties at the checkpoint included (P1)', () =>
    fc.assert(
      fc.asyncProperty(fc.array(roundOfChanges, { minLength: 1, maxLength: 4 }), async (rounds) => {
        await using fixture = await create();
        await using source = await fixture.open();
        const copy = new Map<string, string | null>();
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
          checkpoint = await follow(source, checkpoint, copy);
          expect(copy).toEqual(await readFull(source));
        }
      }),
      { numRuns: traits.runs ?? 20 },
    ));

  test('thousands of records with one stamp are found across page borders (P1)', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    const mark = (await source.mark(never))!;
    await fixture.put(numbered(traits.severalPages).map((record) => ({ ...record, stampMs: noon })));
    const copy = new Map<string, string | null>();
    await follow(source, mark, copy);
    expect(copy.size).toBe(traits.severalPages);
  });

  test('a delta that breaks off goes on from the last checkpoint that was kept (P1)', async () => {
    await using fixture = await create();
    await using source = await fixture.open();
    const mark = (await source.mark(never))!;
    await fixture.put(numbered(traits.severalPages));
    const copy = new Map<string, string | null>();
    let kept = mark;
    for (let attempts = 0; ; attempts++) {
      // Each attempt applies one batch and dies.
      const [batch] = await firstOf(source.readDelta!(kept, never));
      if (batch === undefined) break;
      applyBatch(copy, batch);
      if (batch.checkpoint === null || batch.checkpoint === kept) {
        await follow(source, kept, copy);
        break;
      }
      kept = batch.checkpoint;
      expect(attempts).toBeLessThan(traits.severalPages);
    }
    expect(copy).toEqual(await readFull(source));
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
    const changes = await source.readKeys([idOf(0), idOf(1), idOf(2), 'never was'], never);
    const byKey = new Map(changes.map((change) => [change.key, change]));
    expect(byKey.size).toBe(4);
    expect(byKey.get(idOf(0))).toMatchObject({ op: 'upsert', row: { Id: idOf(0), Name: 'it\'s "new"' } });
    if (traits.stamps) expect(byKey.get(idOf(0))?.stampMs).toBe(noon + 1000);
    expect(byKey.get(idOf(1))?.op).toBe('delete');
    expect(byKey.get(idOf(2))?.op).toBe('upsert');
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

async function readFull(source: Source, resume: string | null = null): Promise<Map<string, string | null>> {
  const copy = new Map<string, string | null>();
  for await (const page of source.readFull(resume, never)) {
    for await (const block of page.blocks) addRows(copy, rowsOfBlock(block, source.schema.fields));
  }
  return copy;
}

/** Applies a delta to a copy; answers the checkpoint to go on from. */
async function follow(source: Source, from: string, copy: Map<string, string | null>): Promise<string> {
  let checkpoint = from;
  for await (const batch of source.readDelta!(from, never)) {
    applyBatch(copy, batch);
    checkpoint = batch.checkpoint ?? checkpoint;
  }
  return checkpoint;
}

function applyBatch(copy: Map<string, string | null>, batch: Batch): void {
  for (const change of batch.changes) {
    if (change.row === null) copy.delete(change.key);
    else addRows(copy, [change.row]);
  }
}

function addRows(copy: Map<string, string | null>, rows: readonly Row[]): void {
  for (const row of rows) copy.set(String(row.Id), row.Name as string | null);
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  for await (const item of items) return [item];
  return [];
}
