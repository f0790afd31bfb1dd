import { type Org, type RecordSave, SalesforceError, type Transaction, type Value } from '../org/types.ts';
import { type RecordValues, recordValues } from './record-values.ts';
import { createRuleSet, requireObject } from './rules.ts';

export type TriggerMoment =
  | 'before insert'
  | 'before update'
  | 'before delete'
  | 'after insert'
  | 'after update'
  | 'after delete'
  | 'after undelete';

/** What Apex has as a trigger, as a function. */
export interface Trigger {
  readonly object: string;
  readonly name: string;
  readonly on: readonly TriggerMoment[];
  /** Whatever it throws refuses the records. */
  readonly run: (run: TriggerRun) => void;
}

export interface TriggerRun {
  readonly moment: TriggerMoment;
  /**
   * The records that are saved together. There may be up to 200 of them in Salesforce; here each has a run of its own,
   * because each is saved or refused on its own.
   */
  readonly records: readonly TriggerRecord[];
  /** That of the save: what is written through it is saved with the records, or not at all. */
  readonly transaction: Transaction;
}

export interface TriggerRecord {
  /** Absent before it is inserted. */
  readonly id: string | undefined;
  /** `Trigger.new`; of a delete what is deleted. Shows what `set` gave. */
  readonly values: RecordValues;
  /** `Trigger.old`; absent of a new record. */
  readonly old: RecordValues | undefined;
  /** Before an insert or an update only. */
  set(field: string, value: Value): void;
  /** `addError`: the record is refused, once the trigger is done. */
  addError(message: string, field?: string): void;
}

export interface Triggers {
  /** A trigger of that name is replaced. @throws {TypeError} */
  define(trigger: Trigger): void;
  remove(name: string): boolean;
  list(): readonly Trigger[];
}

export interface TriggerRunner extends Triggers {
  run(save: RecordSave, when: 'before' | 'after'): void;
}

const moments: ReadonlySet<string> = new Set<TriggerMoment>([
  ...(['before insert', 'before update', 'before delete'] as const),
  ...(['after insert', 'after update', 'after delete', 'after undelete'] as const),
]);
const verbs: Record<RecordSave['kind'], string> = {
  create: 'insert',
  update: 'update',
  delete: 'delete',
  undelete: 'undelete',
};

export function createTriggers(org: Org): TriggerRunner {
  const triggers = createRuleSet<Trigger>();
  return {
    define(trigger) {
      const object = requireObject(org, trigger.object);
      const unknown = trigger.on.find((moment) => !moments.has(moment));
      if (unknown !== undefined || trigger.on.length === 0) throw new TypeError(`no trigger runs on '${unknown}'`);
      triggers.put(trigger.name, { ...trigger, object });
    },
    remove: (name) => triggers.remove(name),
    list: () => triggers.all,
    run(save, when) {
      const moment = `${when} ${verbs[save.kind]}` as TriggerMoment;
      for (const trigger of triggers.of(save.object)) if (trigger.on.includes(moment)) runTrigger(org, trigger, moment, save);
    },
  };
}

function runTrigger(org: Org, { name, run }: Trigger, moment: TriggerMoment, save: RecordSave): void {
  const { object, transaction } = save;
  const refusals: SalesforceError[] = [];
  const values = (row: RecordSave['row']) => recordValues(org, object, row, transaction.row);
  const record: TriggerRecord = {
    id: save.id,
    values: values(save.row),
    old: save.before && values(save.before),
    set: (field, value) => save.set(field, value),
    addError(message, field) {
      refusals.push(new SalesforceError('FIELD_CUSTOM_VALIDATION_EXCEPTION', message, { fields: field ? [field] : [] }));
    },
  };
  const verbOf = new WeakMap<object, string>();
  try {
    run({ moment, records: [record], transaction: naming(transaction, verbOf) });
  } catch (error) {
    throw unhandled(name, moment, error, verbOf);
  }
  if (refusals[0]) throw refusals[0];
}

/** The transaction, which notes of each refusal what was tried. */
function naming(transaction: Transaction, verbOf: WeakMap<object, string>): Transaction {
  const named = { ...transaction };
  for (const verb of ['insert', 'update', 'upsert', 'delete', 'undelete', 'merge'] as const) {
    const write = transaction[verb] as (...args: unknown[]) => unknown;
    Object.assign(named, {
      [verb]: (...args: unknown[]) => {
        try {
          return write(...args);
        } catch (error) {
          if (error instanceof SalesforceError) {
            const id = verb === 'update' || verb === 'delete' || verb === 'undelete' ? ` with id ${args[1]}` : '';
            verbOf.set(error, `${capital(verb)} failed. First exception on row 0${id}; first error`);
          }
          throw error;
        }
      },
    });
  }
  return named;
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** What Salesforce makes of an exception that no trigger caught. */
function unhandled(name: string, moment: TriggerMoment, error: unknown, verbOf: WeakMap<object, string>): SalesforceError {
  const execution = moment.split(' ').map(capital).join('');
  const message = `${name}: execution of ${execution}\n\ncaused by: ${causeOf(error, verbOf)}\n\nTrigger.${name}: line 1, column 1`;
  return new SalesforceError('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', message);
}

function causeOf(error: unknown, verbOf: WeakMap<object, string>): string {
  if (error instanceof SalesforceError) {
    const { errorCode, message, fields } = error;
    const tried = verbOf.get(error) ?? 'DML failed. First exception on row 0; first error';
    return `System.DmlException: ${tried}: ${errorCode}, ${message}: [${fields.join(', ')}]`;
  }
  if (!(error instanceof Error)) return `System.Exception: ${String(error)}`;
  return `${error.name === 'Error' ? 'System.Exception' : `System.${error.name}`}: ${error.message}`;
}
