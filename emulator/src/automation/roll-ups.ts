import type { Stored, StoredRow } from '../org/table.ts';
import type { Org, Recalculation, RecordSave, TouchedRecord, Value, Values } from '../org/types.ts';
import { rollUpField } from '../schema/roll-up-field.ts';
import type { FieldDescribe } from '../schema/types.ts';
import { readCondition } from '../soql/record-condition.ts';
import type { FormulaFieldSet } from './formula-fields.ts';
import { type RecordValues, recordValues, requireField } from './record-values.ts';
import { emptyValue, type RollUpOperation, valueAfter, valueOfAll } from './roll-up-value.ts';
import { requireObject } from './rules.ts';

/** A field of a parent that counts or sums up its children. */
export interface RollUp {
  /** The parent. */
  readonly object: string;
  /** `Open_Amount__c`; made when the object has no such field. */
  readonly field: string;
  readonly label?: string;
  readonly child: string;
  /** The child's reference to the parent: a master in Salesforce; here any lookup will do. */
  readonly reference: string;
  readonly operation: RollUpOperation;
  /** The child's field; all but `count` need one. */
  readonly summarized?: string;
  /** A SOQL condition: only children for which it is true. */
  readonly where?: string;
  /** The same as a function; it may look at the child alone. */
  readonly filter?: (child: RecordValues) => boolean;
}

export interface RollUps {
  /** One of that name is replaced; parents that are there get their values at once, without a trace. @throws {TypeError} */
  define(rollUp: RollUp): void;
  list(): readonly RollUp[];
}

export interface RollUpRunner extends RollUps {
  /** A new parent begins with none. */
  begin(save: RecordSave): void;
  recalculate(touched: readonly TouchedRecord[], recalculation: Recalculation): void;
}

interface ReadRollUp extends RollUp {
  readonly scale: number;
  /** What a child counts for its parent, if it does. */
  contribution(row: Readonly<StoredRow> | undefined): { parentId: string; value: Stored } | undefined;
}

/** What happened to the children of one parent, by roll-up. */
interface ParentWork {
  readonly object: string;
  readonly id: string;
  readonly changes: Map<ReadRollUp, { added: Stored[]; removed: Stored[]; anew: boolean }>;
}

const isDeleted = (row: Readonly<StoredRow>) => row.IsDeleted === 1;
/** A roll-up sees nothing but the child. */
const lookNowhere = () => undefined;
const summable: ReadonlySet<string> = new Set(['double', 'int']);
const comparable: ReadonlySet<string> = new Set(['double', 'int', 'date', 'datetime']);

export function createRollUps(org: Org, formulas: FormulaFieldSet): RollUpRunner {
  const { calculations, schema } = org;
  const rollUps = new Map<string, ReadRollUp>();
  let byChild = new Map<string, ReadRollUp[]>();
  let byParent = new Map<string, ReadRollUp[]>();

  function index(): void {
    byChild = Map.groupBy(rollUps.values(), ({ child }) => child);
    byParent = Map.groupBy(rollUps.values(), ({ object }) => object);
  }

  schema.onChange((object) => {
    for (const [key, { object: name, field: own }] of rollUps) {
      if (name === object.name && !schema.field(name, own)) rollUps.delete(key);
    }
    index();
  });
  // What is loaded runs no save.
  calculations.onLoad((object) => {
    for (const rollUp of new Set([...(byChild.get(object) ?? []), ...(byParent.get(object) ?? [])])) refill(rollUp);
  });

  /** All parents anew, and what sums these up in turn. */
  function refill(rollUp: ReadRollUp, above: readonly ReadRollUp[] = []): void {
    if (above.includes(rollUp)) return;
    const values = new Map<string, Stored[]>();
    for (const row of calculations.rows(rollUp.child)) {
      const found = rollUp.contribution(row);
      if (!found) continue;
      const known = values.get(found.parentId);
      if (known) known.push(found.value);
      else values.set(found.parentId, [found.value]);
    }
    const filled: [string, Stored][] = [];
    for (const { Id: id } of calculations.rows(rollUp.object)) {
      filled.push([String(id), valueOfAll(rollUp.operation, values.get(String(id)) ?? [], rollUp.scale)]);
    }
    calculations.fill(rollUp.object, rollUp.field, filled);
    for (const next of byChild.get(rollUp.object) ?? []) refill(next, [...above, rollUp]);
  }

  function read(given: RollUp): Omit<ReadRollUp, 'scale'> {
    const object = requireObject(org, given.object);
    const child = requireObject(org, given.child);
    const reference = requireField(calculations, child, given.reference).column;
    if (reference.field.type !== 'reference' || !reference.field.referenceTo.includes(object)) {
      throw new TypeError(`${child}.${given.reference} does not refer to ${object}`);
    }
    const ofChild = (path: string) => {
      const found = requireField(calculations, child, path);
      if (!formulas.isOfRecord(child, path)) {
        throw new TypeError(`${child}.${path} cannot be summarized: it follows from other records, or from the time`);
      }
      return found.column;
    };
    const summarized = given.operation === 'count' ? undefined : given.summarized;
    if (given.operation !== 'count') {
      if (summarized === undefined) throw new TypeError(`'${given.operation}' needs a field to summarize`);
      const { kind } = ofChild(summarized);
      if (!(given.operation === 'sum' ? summable : comparable).has(kind)) {
        throw new TypeError(`${child}.${summarized} cannot be summarized by '${given.operation}'`);
      }
    }
    const passes = readFilter(given, child, ofChild);
    return {
      ...given,
      object,
      child,
      reference: reference.name,
      contribution(row) {
        const parentId = row?.[reference.name];
        if (!row || isDeleted(row) || typeof parentId !== 'string' || !passes(row)) return undefined;
        if (summarized === undefined) return { parentId, value: null };
        const value = calculations.field(child, summarized)?.read(row, lookNowhere) ?? null;
        return value === null ? undefined : { parentId, value };
      },
    };
  }

  function readFilter(
    { where, filter }: RollUp,
    child: string,
    ofChild: (path: string) => ReturnType<typeof requireField>['column'],
  ): (row: Readonly<StoredRow>) => boolean {
    if (where !== undefined && filter) throw new TypeError("give one of 'where' and 'filter'");
    if (filter) return (row) => filter(recordValues(org, child, row, lookNowhere));
    if (where === undefined) return () => true;
    return readCondition<Readonly<StoredRow>>(where, {
      field(path) {
        const { kind } = ofChild(path);
        return { kind, read: (row) => calculations.field(child, path)?.read(row, lookNowhere) ?? null };
      },
    });
  }

  /** The field on the parent, which is made if there is none. */
  function ensureField({ object, child, field: name, label, operation, summarized }: RollUp): FieldDescribe {
    const known = schema.field(object, name);
    if (known && !known.calculated) throw new TypeError(`${object}.${name} is no calculated field`);
    if (known) return known;
    if (!/^[A-Za-z]\w*__c$/.test(name)) throw new TypeError(`a custom field's name ends with __c: '${name}'`);
    const describe = rollUpField(
      name,
      label ?? name.replace(/__c$/, '').replaceAll('_', ' '),
      operation === 'count' ? undefined : requireField(calculations, child, summarized!).column.field,
    );
    schema.add({ ...schema.object(object)!, fields: [describe] });
    return describe;
  }

  function collect(touched: readonly TouchedRecord[]): ParentWork[] {
    const work = new Map<string, ParentWork>();
    const changeOf = (rollUp: ReadRollUp, id: string) => {
      const parent = work.get(id) ?? { object: rollUp.object, id, changes: new Map() };
      work.set(id, parent);
      const change = parent.changes.get(rollUp) ?? { added: [], removed: [], anew: false };
      parent.changes.set(rollUp, change);
      return change;
    };
    for (const { object, id, before, after, purged } of touched) {
      for (const rollUp of byChild.get(object) ?? []) {
        const was = rollUp.contribution(before);
        const is = purged ? undefined : rollUp.contribution(after);
        if (was && is && was.parentId === is.parentId && was.value === is.value) continue;
        if (was) changeOf(rollUp, was.parentId).removed.push(was.value);
        if (is) changeOf(rollUp, is.parentId).added.push(is.value);
      }
      // In the recycle bin it was told of nothing.
      const isBack = before && isDeleted(before) && !isDeleted(after) && !purged;
      if (isBack) for (const rollUp of byParent.get(object) ?? []) changeOf(rollUp, id).anew = true;
    }
    return [...work.values()];
  }

  return {
    define(given) {
      const rollUp = read(given);
      const { name, scale } = ensureField({ ...given, object: rollUp.object, child: rollUp.child });
      const defined: ReadRollUp = { ...rollUp, field: name, scale };
      rollUps.set(`${rollUp.object}.${name}`.toLowerCase(), defined);
      index();
      refill(defined);
    },
    list: () => [...rollUps.values()].map(({ contribution: _, scale: _scale, ...given }) => given),
    begin(save) {
      if (save.kind !== 'create') return;
      for (const { operation, field: name } of byParent.get(save.object) ?? []) save.set(name, emptyValue(operation) as Value);
    },
    recalculate(touched, { transaction, lock, store }) {
      for (const { object, id, changes } of collect(touched)) {
        const found = transaction.row(object, id);
        if (!found || isDeleted(found)) continue;
        // Held before it is read: another transaction's children would not be counted.
        lock(object, id);
        const row = transaction.row(object, id)!;
        const values: Values = {};
        for (const [rollUp, change] of changes) {
          const { operation, scale } = rollUp;
          const known = change.anew ? undefined : valueAfter(operation, row[rollUp.field] ?? null, change, scale);
          values[rollUp.field] = (known === undefined ? valueOfAll(operation, childValues(rollUp, id), scale) : known) as Value;
        }
        store(object, id, values, { stamps: 'system', save: true });
      }

      function childValues(rollUp: ReadRollUp, id: string): Stored[] {
        return transaction.rows(rollUp.child, rollUp.reference, id).flatMap((row) => {
          const found = rollUp.contribution(row);
          return found ? [found.value] : [];
        });
      }
    },
  };
}
