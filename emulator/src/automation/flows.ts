import { type Org, type RecordSave, SalesforceError, type Value, type Values } from '../org/types.ts';
import { toRest } from '../org/values.ts';
import { isPlatformEvent } from '../schema/platform-event.ts';
import type { Cell } from './formula/types.ts';
import { requireField } from './record-values.ts';
import { conditionTest, type RuleCondition, type SaveTest, saveFormula } from './rule-condition.ts';
import { createRuleSet, requireObject } from './rules.ts';

/** A value as it is, or that of a field or a formula of the record that the flow runs for. A formula's `Id` has 15 characters. */
export type FlowValue = Value | { readonly field: string } | { readonly formula: string };

/** One thing that a flow does. */
export type FlowAction =
  /** Changes the record before it is saved. */
  | { readonly set: Readonly<Record<string, FlowValue>> }
  /** Creates another record, after it was saved. */
  | { readonly create: string; readonly values: Readonly<Record<string, FlowValue>> }
  /** Publishes a platform event; with the commit or at once, as the event is defined. */
  | { readonly publish: string; readonly values: Readonly<Record<string, FlowValue>> };

/** What a record-triggered flow does, as data. */
export interface Flow extends RuleCondition {
  readonly name: string;
  readonly object: string;
  readonly on: readonly ('create' | 'update' | 'delete')[];
  /** Of updates only those that make the condition true; else all for which it is. */
  readonly onlyWhenItBecomesTrue?: boolean;
  readonly actions: readonly FlowAction[];
}

export interface Flows {
  /** A flow of that name is replaced. @throws {TypeError} */
  define(flow: Flow): void;
  remove(name: string): boolean;
  list(): readonly Flow[];
}

export interface FlowRunner extends Flows {
  runBefore(save: RecordSave): void;
  runAfter(save: RecordSave): void;
}

/** Gives the values that an action writes. */
type Composer = (save: RecordSave) => Values;

interface ReadFlow extends Flow {
  readonly applies: SaveTest;
  readonly before: readonly ((save: RecordSave) => void)[];
  readonly after: readonly ((save: RecordSave) => void)[];
}

const kinds: ReadonlySet<string> = new Set(['create', 'update', 'delete']);

export function createFlows(org: Org): FlowRunner {
  const flows = createRuleSet<ReadFlow>();

  function run(save: RecordSave, when: 'before' | 'after'): void {
    for (const flow of flows.of(save.object)) {
      if (flow[when].length === 0 || !flow.on.includes(save.kind as 'create') || !flow.applies(save)) continue;
      try {
        for (const act of flow[when]) act(save);
      } catch (error) {
        if (error instanceof SalesforceError) throw failed(flow.name, error);
        throw error;
      }
    }
  }

  return {
    define(flow) {
      const object = requireObject(org, flow.object);
      const unknown = flow.on.find((kind) => !kinds.has(kind));
      if (unknown !== undefined || flow.on.length === 0) throw new TypeError(`no flow runs on '${unknown}'`);
      if (flow.actions.length === 0) throw new TypeError(`the flow '${flow.name}' does nothing`);
      const holds = conditionTest(org, object, flow);
      const applies: SaveTest = (save) => holds(save) && !(flow.onlyWhenItBecomesTrue && held(save, holds));
      const before = flow.actions.flatMap((action) => ('set' in action ? [readSet(org, object, flow, action.set)] : []));
      const after = flow.actions.flatMap((action) => ('set' in action ? [] : [readCreate(org, object, action)]));
      flows.put(flow.name, { ...flow, object, applies, before, after });
    },
    remove: (name) => flows.remove(name),
    list: () => flows.all.map(({ applies: _, before: _before, after: _after, ...flow }) => flow),
    runBefore: (save) => run(save, 'before'),
    runAfter: (save) => run(save, 'after'),
  };
}

/** Whether the condition was true before the save. */
const held = (save: RecordSave, holds: SaveTest) =>
  save.kind === 'update' && save.before !== undefined && holds({ ...save, row: save.before });

function readSet(org: Org, object: string, flow: Flow, fields: Readonly<Record<string, FlowValue>>): (save: RecordSave) => void {
  if (flow.on.includes('delete')) throw new TypeError('a record that is deleted cannot be changed');
  const compose = readValues(org, object, object, fields);
  return (save) => {
    for (const [field, value] of Object.entries(compose(save))) save.set(field, value);
  };
}

function readCreate(org: Org, object: string, action: Exclude<FlowAction, { set: unknown }>): (save: RecordSave) => void {
  const target = requireObject(org, 'create' in action ? action.create : action.publish);
  if ('publish' in action && !isPlatformEvent(target)) throw new TypeError(`'${target}' is no platform event`);
  const compose = readValues(org, object, target, action.values);
  // A platform event is published by being inserted.
  return (save) => {
    save.transaction.insert(target, compose(save));
  };
}

function readValues(org: Org, object: string, target: string, values: Readonly<Record<string, FlowValue>>): Composer {
  const entries = Object.entries(values).map(([name, value]): [string, (save: RecordSave) => Value] => {
    const { column } = requireField(org.calculations, target, name);
    if (value === null || typeof value !== 'object') return [column.name, () => value];
    if ('field' in value) {
      const source = requireField(org.calculations, object, value.field);
      return [column.name, (save) => toRest(source.column.kind, source.read(save.row, save.transaction.row))];
    }
    const formula = saveFormula(org, object, value.formula);
    const isPercent = column.field.type === 'percent';
    return [column.name, (save) => asValue(formula.work(save), isPercent)];
  });
  return (save) => Object.fromEntries(entries.map(([name, read]) => [name, read(save)]));
}

const asValue = (cell: Cell, isPercent: boolean): Value => (isPercent && typeof cell === 'number' ? cell * 100 : cell);

function failed(name: string, { errorCode, message }: SalesforceError): SalesforceError {
  const text = `We can't save this record because the “${name}” process failed. Give your Salesforce admin these details. This error occurred when the flow tried to save records: ${errorCode}: ${message}.`;
  return new SalesforceError('CANNOT_EXECUTE_FLOW_TRIGGER', text);
}
