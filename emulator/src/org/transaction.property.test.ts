import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTestOrg } from './testing.ts';
import { type Org, SalesforceError, type Transaction, type Values } from './types.ts';

// However transactions interleave, an org holds exactly what the committed ones wrote, in whole; what an open one sees is
// that plus its own; and whoever follows the commits from the start has the org's rows. (P1, P6)

interface Row {
  text: string | null;
  key: string | null;
  master: string | null;
  deleted: boolean;
}
type Rows = Map<string, Row>;

/** A transaction of the model: what it wrote over what is committed, and which rows it holds. */
interface Open {
  transaction: Transaction;
  wrote: Map<string, Row | 'purged'>;
  /** It may hold rows: a write that changed nothing holds some too. */
  busy: boolean;
  savepoint: { real: ReturnType<Transaction['savepoint']>; wrote: Map<string, Row | 'purged'> } | undefined;
}

type Command =
  | { do: 'commit' | 'rollback' | 'savepoint' | 'rollbackTo'; at: number }
  | { do: 'insert'; at: number; text: string | null; key: string | null; parent: number }
  | { do: 'update'; at: number; which: number; text: string | null; key: string | null; parent: number }
  | { do: 'upsert'; at: number; key: string; text: string | null }
  | { do: 'delete' | 'undelete' | 'purge'; at: number; which: number };

const at = fc.nat(2);
const which = fc.nat(7);
const text = fc.constantFrom(null, 'a', 'b');
const key = fc.constantFrom(null, 'k', 'K2');
const parent = fc.integer({ min: -4, max: 7 });
const step = <T extends Command['do']>(...kinds: T[]) => fc.constantFrom(...kinds);
const commands = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: step('commit', 'rollback', 'savepoint', 'rollbackTo'), at }) },
    { weight: 4, arbitrary: fc.record({ do: step('insert'), at, text, key, parent }) },
    { weight: 4, arbitrary: fc.record({ do: step('update'), at, which, text, key, parent }) },
    { weight: 2, arbitrary: fc.record({ do: step('upsert'), at, key: fc.constantFrom('k', 'K2'), text }) },
    { weight: 4, arbitrary: fc.record({ do: step('delete', 'undelete', 'purge'), at, which }) },
  ) as fc.Arbitrary<Command>,
  { maxLength: 60 },
);

const fold = (value: string | null) => value?.toUpperCase() ?? null;

class World {
  readonly org: Org = createTestOrg().org;
  readonly committed: Rows = new Map();
  readonly open: (Open | undefined)[] = [undefined, undefined, undefined];
  /** Every id that was ever made, in its order. */
  readonly ids: string[] = [];
  /** What a follower of the commits has. */
  readonly followed: Rows = new Map();

  constructor() {
    this.org.onCommit(({ changes }) => {
      for (const { id, kind, after } of changes) {
        if (kind === 'delete' || kind === 'purge') this.followed.delete(id);
        else this.followed.set(id, fromStored(after as Record<string, string | number | null>));
      }
    });
  }

  see(open: Open): Rows {
    const seen = new Map(this.committed);
    for (const [id, row] of open.wrote) {
      if (row === 'purged') seen.delete(id);
      else seen.set(id, row);
    }
    return seen;
  }

  /** What the real org does to the records; the model takes over what it is told that happened, and checks that it may. */
  write(open: Open, target: Target, work: () => void, model: (rows: Rows) => void): void {
    const before = this.see(open);
    try {
      work();
    } catch (error) {
      if (!(error instanceof SalesforceError)) throw error;
      this.checkRefusal(error, open, target);
      this.checkSeen(open);
      return;
    }
    open.busy = true;
    const after = new Map([...before].map(([id, row]) => [id, { ...row }]));
    model(after);
    for (const [id, row] of after) if (!sameRow(before.get(id), row)) open.wrote.set(id, row);
    for (const id of before.keys()) if (!after.has(id)) open.wrote.set(id, 'purged');
    this.checkSeen(open);
  }

  /** No write is refused without a reason. */
  private checkRefusal({ errorCode }: SalesforceError, open: Open, { id, key, master, upserted }: Target): void {
    const rows = this.see(open);
    const named = [id, master].flatMap((one) => one ?? []);
    const keys = [key ?? null, (id !== undefined && rows.get(id)?.key) || null].map(fold).filter((one) => one !== null);
    const reasons: Record<string, () => boolean> = {
      INVALID_CROSS_REFERENCE_KEY: () => named.some((one) => !rows.has(one)),
      ENTITY_IS_DELETED: () => named.some((one) => rows.get(one)?.deleted === true),
      UNDELETE_FAILED: () => rows.get(id!)?.deleted === false,
      // An undelete may bring back others with it, whose keys are taken: then any clash will do.
      DUPLICATE_VALUE: () =>
        [...rows].some(
          ([other, row]) =>
            other !== id && !row.deleted && (keys.some((taken) => taken === fold(row.key)) || rows.get(id ?? '')?.deleted),
        ),
      // Another transaction committed the key that this one had given to a record of its own: only its commit would be refused.
      MULTIPLE_CHOICES: () => [...rows.values()].filter((row) => !row.deleted && fold(row.key) === fold(upserted!)).length > 1,
      UNABLE_TO_LOCK_ROW: () => this.open.some((other) => other && other !== open && other.busy),
    };
    expect([errorCode, reasons[errorCode]?.()]).toEqual([errorCode, true]);
  }

  run(command: Command): void {
    const open = this.open[command.at] ?? { transaction: this.org.begin(), wrote: new Map(), busy: false, savepoint: undefined };
    this.open[command.at] = open;
    const { transaction } = open;
    switch (command.do) {
      case 'commit':
        this.open[command.at] = undefined;
        this.commit(open);
        return;
      case 'rollback':
        this.open[command.at] = undefined;
        transaction.rollback();
        return;
      case 'savepoint':
        open.savepoint = { real: transaction.savepoint(), wrote: new Map(open.wrote) };
        return;
      case 'rollbackTo':
        if (!open.savepoint) return;
        transaction.rollbackTo(open.savepoint.real);
        open.wrote = new Map(open.savepoint.wrote);
        this.checkSeen(open);
        return;
      case 'insert': {
        let id = '';
        const values = this.values(command);
        this.write(
          open,
          target(undefined, values),
          () => {
            id = transaction.insert('Thing__c', { Name: 'x', ...values }).id;
            this.ids.push(id);
          },
          (rows) => rows.set(id, { text: null, key: null, master: null, deleted: false, ...given(values) }),
        );
        return;
      }
      case 'update': {
        const id = this.ids[command.which];
        const values = this.values(command);
        if (id === undefined || values.Master__c === id) return;
        this.write(
          open,
          target(id, values),
          () => transaction.update('Thing__c', id, values),
          (rows) => Object.assign(rows.get(id)!, given(values)),
        );
        return;
      }
      case 'upsert': {
        let outcome = { id: '', created: false };
        this.write(
          open,
          { id: undefined, key: undefined, master: undefined, upserted: command.key },
          () => {
            outcome = transaction.upsert('Thing__c', 'Ext__c', command.key, { Name: 'x', Text__c: command.text });
            if (outcome.created) this.ids.push(outcome.id);
          },
          (rows) => {
            const found = [...rows].filter(([, row]) => !row.deleted && fold(row.key) === fold(command.key));
            expect([found.length, found[0]?.[0] ?? outcome.id]).toEqual([outcome.created ? 0 : 1, outcome.id]);
            if (outcome.created) rows.set(outcome.id, { text: command.text, key: command.key, master: null, deleted: false });
            else rows.get(outcome.id)!.text = command.text;
          },
        );
        return;
      }
      case 'delete':
        this.existing(
          open,
          command.which,
          (id) => transaction.delete('Thing__c', id),
          (rows, id) => doom(rows, id),
        );
        return;
      case 'undelete':
        // All writes of a test happen within one second, so that whatever hangs on it and is deleted comes back with it.
        this.existing(
          open,
          command.which,
          (id) => transaction.undelete('Thing__c', id),
          (rows, id) => revive(rows, id),
        );
        return;
      case 'purge':
        this.existing(
          open,
          command.which,
          (id) => transaction.purge('Thing__c', [id]),
          (rows, id) => {
            if (!rows.get(id)!.deleted) doom(rows, id);
            rows.delete(id);
          },
        );
    }
  }

  private existing(open: Open, at: number, work: (id: string) => void, model: (rows: Rows, id: string) => void): void {
    const id = this.ids[at];
    if (id !== undefined)
      this.write(
        open,
        target(id, {}),
        () => work(id),
        (rows) => model(rows, id),
      );
  }

  private commit(open: Open): void {
    try {
      open.transaction.commit();
    } catch (error) {
      if (!(error instanceof SalesforceError)) throw error;
      this.checkCommitted();
      return;
    }
    for (const [id, row] of open.wrote) {
      if (row === 'purged') this.committed.delete(id);
      else this.committed.set(id, row);
    }
    this.checkCommitted();
  }

  private values({ text, key, parent }: { text: string | null; key: string | null; parent: number }): Values {
    const master = parent < 0 ? undefined : this.ids[parent];
    return {
      ...(text === null && parent === -1 ? {} : { Text__c: text }),
      ...(key === null && parent === -2 ? {} : { Ext__c: key }),
      ...(master === undefined ? {} : { Master__c: master }),
    };
  }

  checkSeen(open: Open): void {
    const seen = this.see(open);
    expect(readRows(this.org, open.transaction)).toEqual(sorted(seen));
    for (const id of open.wrote.keys()) {
      const row = open.transaction.row('Thing__c', id);
      expect(row && fromStored(row)).toEqual(seen.get(id));
    }
  }

  checkCommitted(): void {
    expect(readRows(this.org, undefined)).toEqual(sorted(this.committed));
    const alive = new Map([...this.committed].filter(([, row]) => !row.deleted));
    expect(sorted(this.followed)).toEqual(sorted(alive));
    const keys = [...alive.values()].flatMap((row) => fold(row.key) ?? []);
    expect(new Set(keys).size).toBe(keys.length);
    for (const { master } of alive.values()) if (master !== null) expect(alive.has(master)).toBe(true);
  }
}

/** What a write names, for which it can be refused. */
interface Target {
  id: string | undefined;
  key: string | null | undefined;
  master: string | null | undefined;
  /** The external id of an upsert. */
  upserted?: string;
}
const target = (id: string | undefined, values: Values): Target => {
  const { key, master } = given(values);
  return { id, key, master };
};

const given = (values: Values): Partial<Row> => ({
  ...('Text__c' in values ? { text: values.Text__c as string | null } : {}),
  ...('Ext__c' in values ? { key: values.Ext__c as string | null } : {}),
  ...('Master__c' in values ? { master: values.Master__c as string | null } : {}),
});

const fromStored = (row: Readonly<Record<string, string | number | null>>): Row => ({
  text: (row.Text__c ?? null) as string | null,
  key: (row.Ext__c ?? null) as string | null,
  master: (row.Master__c ?? null) as string | null,
  deleted: row.IsDeleted === 1,
});

function readRows(org: Org, transaction: Transaction | undefined): [string, Row][] {
  const found = org.query('SELECT Id, Text__c, Ext__c, Master__c, IsDeleted FROM Thing__c', { all: true, transaction });
  const rows = found.page(0, 1000, 'v62.0') as Record<string, unknown>[];
  expect(rows).toHaveLength(found.totalSize);
  return sorted(
    new Map(rows.map((row) => [row.Id as string, fromStored({ ...row, IsDeleted: row.IsDeleted ? 1 : 0 } as never)])),
  );
}

const sorted = (rows: Rows) => [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
const sameRow = (a: Row | undefined, b: Row) => a !== undefined && JSON.stringify(a) === JSON.stringify(b);

function doom(rows: Rows, id: string): void {
  const row = rows.get(id)!;
  if (row.deleted) return;
  row.deleted = true;
  for (const [child, { master, deleted }] of rows) if (master === id && !deleted) doom(rows, child);
}

function revive(rows: Rows, id: string): void {
  rows.get(id)!.deleted = false;
  for (const [child, { master, deleted }] of rows) if (master === id && deleted && child !== id) revive(rows, child);
}

test('any interleaving of transactions leaves what the committed ones wrote, told in their order', () => {
  fc.assert(
    fc.property(commands, (list) => {
      const world = new World();
      for (const command of list) world.run(command);
      for (const open of world.open) open?.transaction.rollback();
      world.checkCommitted();
      world.org.close();
    }),
    { numRuns: 150 },
  );
});
