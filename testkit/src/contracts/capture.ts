import {
  type Batch,
  type Change,
  CheckpointExpiredError,
  type Connection,
  type DatasetSchema,
  newRow,
  type Source,
  type SourceSpec,
  type StreamChange,
} from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** One fresh, empty table `items` of an application: a number `id`, its key, and the texts `name` and `data`. */
export interface CapturedItems extends AsyncDisposable {
  readonly connection: Connection;
  /** Makes the change log and its triggers. */
  install(): Promise<unknown>;
  open(spec?: CapturedSpec): Promise<Source>;
  /** Statements as other programs write them, each in a transaction of its own. */
  write(...statements: readonly string[]): Promise<unknown>;
  /** What triggers have told and nobody has put away yet, such as `U 1 name`. */
  logged(): Promise<readonly string[]> | readonly string[];
  /** A reader that was last seen so many days before it was. */
  age(unit: string, days: number): Promise<unknown>;
}

export interface CapturedSpec extends Partial<Omit<SourceSpec, 'from'>> {
  readonly from?: { readonly own?: 'include' | 'ignore'; readonly key?: string | string[] };
}

export interface CaptureTraits {
  /** The log keeps its last row, though everybody has read it. */
  readonly keepsLast: boolean;
}

const signal = AbortSignal.timeout(600_000);
const mark = async (source: Source) => (await source.mark(signal))!;

export function openCaptured(connection: Connection, from: object, spec: CapturedSpec = {}): Promise<Source> {
  const all = { unit: 'sync', where: undefined, fields: null, exclude: [], startAtMs: null };
  return connection.openSource!({ ...all, ...spec, from: { ...from, ...spec.from } as never }, signal);
}

export async function readChanges(source: Source, from: string): Promise<{ changes: Change[]; checkpoint: string }> {
  const batches: Batch[] = [];
  for await (const batch of source.readDelta!(from, signal)) batches.push(batch);
  return { changes: batches.flatMap(({ changes }) => changes), checkpoint: batches.at(-1)?.checkpoint ?? from };
}

/** Each change as `upsert 1 name,data`, sorted. */
export function brief(changes: readonly Change[]): string[] {
  return changes.map(({ op, key, changed }) => [op, key, ...(changed === undefined ? [] : [changed.join()])].join(' ')).sort();
}

/** What every captured table promises, whatever triggers its database has. */
export function describeCaptureContract(
  name: string,
  create: (options?: { captured?: boolean }) => Promise<CapturedItems>,
  { keepsLast }: CaptureTraits,
): void {
  describe(`${name} keeps the capture contract`, () => {
    const left = (logged: readonly string[]) => (keepsLast ? logged.slice(-1) : []);

    test('inserts, updates and deletes are told with what changed, as rows are now', async () => {
      await using items = await create();
      await using source = await items.open();
      const from = await mark(source);
      await items.write("INSERT INTO items VALUES (1, 'a', '{}'), (2, 'b', NULL), (3, 'c', NULL)");
      const first = await readChanges(source, from);
      expect(brief(first.changes)).toEqual(['upsert 1', 'upsert 2', 'upsert 3']);
      await items.write(
        "UPDATE items SET name = 'x' WHERE id = 1",
        "UPDATE items SET data = '[1]' WHERE id = 1",
        'UPDATE items SET name = name',
        'DELETE FROM items WHERE id = 2',
        'UPDATE items SET id = 4 WHERE id = 3',
      );
      const logged = await items.logged();
      const second = await readChanges(source, first.checkpoint);
      expect(brief(second.changes)).toEqual(['delete 2', 'delete 3', 'upsert 1 name,data', 'upsert 4']);
      const changed = second.changes.find(({ key }) => key === '1')!;
      expect(changed.row).toEqual({ id: 1, name: 'x', data: '[1]' });
      expect(changed.stampMs).toBe(0);
      expect(Math.abs(Date.now() - changed.changedAtMs!)).toBeLessThan(600_000);
      expect(await readChanges(source, second.checkpoint)).toEqual({ changes: [], checkpoint: second.checkpoint });
      expect(await items.logged()).toEqual(left(logged));
    });

    test('a row that leaves the filter goes, and its key may stand in the filter (P4)', async () => {
      await using items = await create();
      await using source = await items.open({ where: "id < 3 AND name <> 'out' OR id = 9", fields: ['name'] });
      const from = await mark(source);
      await items.write("INSERT INTO items (id, name) VALUES (1, 'in'), (2, 'out'), (5, 'in'), (9, 'out')");
      const first = await readChanges(source, from);
      expect(brief(first.changes)).toEqual(['delete 2', 'delete 5', 'upsert 1', 'upsert 9']);
      expect(first.changes.find(({ key }) => key === '1')!.row).toEqual({ id: 1, name: 'in' });
      await items.write("UPDATE items SET name = 'out'");
      expect(brief((await readChanges(source, first.checkpoint)).changes)).toEqual(['delete 1', 'delete 5']);
      expect(brief(await source.readKeys!(['9', '1'], signal))).toEqual(['delete 1', 'upsert 9']);
    });

    test('our syncs are told by name while nobody else has written, and can be left out (P7)', async () => {
      await using items = await create();
      const text = { type: 'text', nullable: true } as const;
      const id = { name: 'id', type: 'integer', nullable: false } as const;
      const schema: DatasetSchema = { name: 'items', key: ['id'], fields: [id, { name: 'name', ...text }] };
      const spec = { to: { table: 'items' } as never, unit: 'writer', schema, deletes: 'mirror' } as const;
      await using target = await items.connection.openTarget!(spec, signal);
      await target.prepare();
      const { epoch } = await target.checkpoints!.acquire('writer');
      await using source = await items.open();
      await using deaf = await items.open({ unit: 'deaf', from: { own: 'ignore' } });
      const [from, deafFrom] = [await mark(source), await mark(deaf)];
      const change = (key: number, value: string, stampMs = 1) => {
        const row = Object.assign(newRow(), { id: key, name: value });
        return { op: 'upsert', key: String(key), row, stampMs } satisfies Change & StreamChange;
      };
      const commit = { epoch, settle: async () => null };
      const writers = ({ changes }: { changes: readonly Change[] }) => changes.map((each) => [each.key, each.writers]).sort();

      await target.write([change(1, 'ours'), change(2, 'ours')], commit, signal);
      await items.write("UPDATE items SET name = 'theirs' WHERE id = 2");
      const read = await readChanges(source, from);
      expect(writers(read)).toEqual([
        ['1', ['writer']],
        ['2', undefined],
      ]);
      const heard = await readChanges(deaf, deafFrom);
      expect(brief(heard.changes)).toEqual(['upsert 2']);

      // A stamp of ours alone is no change.
      await target.write([change(1, 'ours', 5)], commit, signal);
      expect((await readChanges(source, read.checkpoint)).changes).toEqual([]);

      // Only what is ours: nothing is told, and the position moves all the same.
      await using stream = await items.connection.openStreamWriter!([target]);
      const transaction = await stream.begin(signal);
      await transaction.apply(target, [change(1, 'streamed', 6)]);
      await transaction.commit('writer', epoch, 'c');
      const nothing = await readChanges(deaf, heard.checkpoint);
      expect(nothing.changes).toEqual([]);
      expect(nothing.checkpoint).not.toBe(heard.checkpoint);
      await items.write("INSERT INTO items (id, name) VALUES (3, 'theirs')");
      expect(writers(await readChanges(source, read.checkpoint))).toEqual([
        ['1', ['writer']],
        ['3', undefined],
      ]);
      expect(brief((await readChanges(deaf, nothing.checkpoint)).changes)).toEqual(['upsert 3']);
    });

    test('each reader has its own position, and a row of the log goes when the last has read it', async () => {
      await using items = await create();
      await using a = await items.open({ unit: 'a' });
      await using b = await items.open({ unit: 'b' });
      let [fromA, fromB] = [await mark(a), await mark(b)];
      for (const id of [1, 2]) {
        await items.write(`INSERT INTO items (id) VALUES (${id})`);
        fromA = (await readChanges(a, fromA)).checkpoint;
      }
      await readChanges(a, fromA);
      const logged = await items.logged();
      expect(logged).toEqual(['I 1', 'I 2']);
      const read = await readChanges(b, fromB);
      expect(brief(read.changes)).toEqual(['upsert 1', 'upsert 2']);
      fromB = read.checkpoint;
      await readChanges(b, fromB);
      expect(await items.logged()).toEqual(left(logged));
      await items.write('INSERT INTO items (id) VALUES (3)');
      expect(brief((await readChanges(a, fromA)).changes)).toEqual(['upsert 3']);
    });

    test('a mark keeps the log until it is read from, whatever older checkpoints of the same sync read meanwhile (P12)', async () => {
      await using items = await create();
      await using source = await items.open();
      let from = await mark(source);
      await readChanges(source, from);
      await items.write('INSERT INTO items (id) VALUES (1)');
      const later = await mark(source);
      await items.write('INSERT INTO items (id) VALUES (2)');
      // A full read that has begun is interrupted; deltas go on from the old checkpoint.
      from = (await readChanges(source, from)).checkpoint;
      await readChanges(source, from);
      expect(brief((await readChanges(source, later)).changes)).toEqual(['upsert 2']);
      await expect(readChanges(source, from)).rejects.toThrow(CheckpointExpiredError);
    });

    test('a checkpoint older than what was put away is refused, and so is one of a reader that stayed away for long (P1)', async () => {
      await using items = await create();
      await using source = await items.open();
      await using gone = await items.open({ unit: 'gone' });
      const [from, lost] = [await mark(source), await mark(gone)];
      await items.write('INSERT INTO items (id) VALUES (1)');
      await items.age('gone', 16);
      const logged = await items.logged();
      const { checkpoint } = await readChanges(source, from);
      await readChanges(source, checkpoint);
      expect(await items.logged()).toEqual(left(logged));
      await expect(readChanges(source, from)).rejects.toThrow(CheckpointExpiredError);
      await expect(readChanges(gone, lost)).rejects.toThrow(CheckpointExpiredError);
    });

    test('a reader that does not come is named, as long as the log is kept for it', async () => {
      await using items = await create();
      await using gone = await items.open({ unit: 'gone' });
      await mark(gone);
      await using before = await items.open();
      expect(before.warnings).toEqual([]);
      await items.age('gone', 3);
      await using source = await items.open();
      expect(source.warnings).toEqual([expect.objectContaining({ message: expect.stringContaining('kept for gone') })]);
    });

    test('a table that is not captured is refused with the statements that capture it; so is another key than its own', async () => {
      await using items = await create({ captured: false });
      await expect(items.open()).rejects.toMatchObject({
        message: expect.stringContaining('items is not captured yet'),
        hint: expect.stringMatching(/schema apply[\s\S]*schema diff/),
      });
      await items.install();
      await expect(items.open({ from: { key: 'name' } })).rejects.toThrow(/by its primary key \(id\)/);
      await (await items.open({ from: { key: ['id'] } }))[Symbol.asyncDispose]();
    });

    test('who waits for a change hears of it, and of nothing when it gives up', async () => {
      await using items = await create();
      await using source = await items.open();
      const from = await mark(source);
      const waiting = source.waitForChange!(from, signal);
      await items.write('INSERT INTO items (id) VALUES (1)');
      await waiting;
      const { checkpoint } = await readChanges(source, from);
      const given = new AbortController();
      const nothing = source.waitForChange!(checkpoint, given.signal);
      given.abort();
      await nothing;
    });
  });
}

/** A step of a history: one of two readers reads so many batches and dies; of these the last `keptLess` checkpoints are lost. */
export const readerDies = fc.record({
  reader: fc.constantFrom('a' as const, 'b' as const),
  batches: fc.integer({ min: 0, max: 4 }),
  keptLess: fc.integer({ min: 0, max: 2 }),
});

/** A sync that follows a change log into a copy, and may die between any two batches. Rows have a version that only grows. */
export class LogFollower {
  readonly #copy = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  readonly #reader: Required<Pick<Source, 'mark' | 'readDelta'>>;
  #checkpoint = '';

  constructor(reader: Required<Pick<Source, 'mark' | 'readDelta'>>) {
    this.#reader = reader;
  }

  /** Two of them, at the beginning of the log. */
  static async pair(open: (unit: string) => Required<Pick<Source, 'mark' | 'readDelta'>>) {
    const followers = { a: new LogFollower(open('a')), b: new LogFollower(open('b')) };
    for (const follower of Object.values(followers)) follower.#checkpoint = (await follower.#reader.mark(signal))!;
    return followers;
  }

  async follow(batches: number, keptLess: number): Promise<number> {
    const checkpoints = [this.#checkpoint];
    if (batches > 0) {
      for await (const batch of this.#reader.readDelta(this.#checkpoint, signal)) {
        for (const change of batch.changes) this.#apply(change);
        checkpoints.push(batch.checkpoint!);
        if (checkpoints.length > batches) break;
      }
    }
    this.#checkpoint = checkpoints[Math.max(0, checkpoints.length - 1 - keptLess)]!;
    return checkpoints.length - 1;
  }

  /** Reads to the end of the log; the copy then equals the table. */
  async endsEqualTo(rows: Iterable<readonly [key: string, version: number]>): Promise<void> {
    while ((await this.follow(1000, 0)) > 0);
    expect(new Map([...this.#copy].sort())).toEqual(new Map([...rows].sort()));
  }

  #apply({ key, row }: Change): void {
    if (row === null) {
      this.#copy.delete(key);
      return;
    }
    const version = Number(row.version);
    expect(version).toBeGreaterThanOrEqual(this.#newest.get(key) ?? 0);
    this.#newest.set(key, version);
    this.#copy.set(key, version);
  }
}
