import type { Column, Stored } from '../../org/table.ts';
import type { FieldDescribe, FieldType } from '../../schema/types.ts';
import { compile, type Names } from './compile.ts';
import { roundTo } from './numbers.ts';
import { parseFormula } from './parse.ts';
import { type Cell, type Compiled, FormulaError, FormulaFailure, type FormulaType } from './types.ts';

/** A value that a formula needs from outside. */
export interface FormulaInput {
  /** `Amount`, `Account.Owner.Name`; absent for whether the record is new. */
  readonly path: string | undefined;
  /** As it was before the save. */
  readonly prior: boolean;
}

export interface Formula {
  readonly type: FormulaType;
  readonly inputs: readonly FormulaInput[];
  /** Follows from the time at which it is read. */
  readonly timed: boolean;
  /** @param inputs  Stored values in the order of `inputs`; `1` for a new record. Null when it cannot be worked out. */
  work(inputs: readonly Stored[], nowMs: number): Cell;
}

export interface FormulaOptions {
  /** The field at the end of a path of the object, or nothing. */
  column(path: string): Column | undefined;
  /** `<formulaTreatBlanksAs>`: whether a blank number is zero. */
  blanksAsZero: boolean;
  /** Whether the formula is asked when a record is saved: then it knows what was before. */
  ofSave?: boolean;
}

const types: Readonly<Partial<Record<FieldType, FormulaType>>> = {
  id: 'text',
  reference: 'text',
  string: 'text',
  phone: 'text',
  email: 'text',
  url: 'text',
  textarea: 'text',
  combobox: 'text',
  picklist: 'picklist',
  multipicklist: 'multipicklist',
  boolean: 'boolean',
  int: 'number',
  double: 'number',
  currency: 'number',
  percent: 'number',
  date: 'date',
  datetime: 'datetime',
  time: 'time',
};

/**
 * Reads a formula as fields, rules and flows have them ("Formula Operators and Functions"). What the npm package
 * `formulon` knows is not enough here: it works out both sides of an IF, knows no blanks in sums and no minus before a
 * field, and takes the time from the machine.
 * @throws {FormulaError}
 */
export function readFormula(text: string, options: FormulaOptions): Formula {
  const inputs: FormulaInput[] = [];
  let timed = false;
  const indexOf = (input: FormulaInput): number => {
    const known = inputs.findIndex(({ path, prior }) => path === input.path && prior === input.prior);
    return known >= 0 ? known : inputs.push(input) - 1;
  };
  const names: Names = {
    field(path, prior) {
      const column = options.column(path);
      if (!column) throw new FormulaError(`Field ${path} does not exist. Check spelling.`);
      const type = types[column.field.type];
      if (!type) throw new FormulaError(`Field ${path} is a ${column.field.type} field, which formulas cannot use`);
      const at = indexOf({ path, prior });
      const read = reader(column.field.type, options.blanksAsZero);
      return { type, work: (situation) => read(situation.inputs[at] as Stored) };
    },
  };
  if (options.ofSave) {
    const at = indexOf({ path: undefined, prior: false });
    names.isNew = { type: 'boolean', work: (situation) => situation.inputs[at] === 1 };
  }
  const expression = parseFormula(text);
  const compiled: Compiled = compile(expression, names);
  timed = /\b(?:TODAY|NOW|TIMENOW)\s*\(/i.test(text.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/gs, '""'));
  return {
    type: compiled.type,
    inputs,
    timed,
    work(values, nowMs) {
      try {
        return compiled.work({ inputs: values, nowMs });
      } catch (error) {
        if (error instanceof FormulaFailure) return null;
        throw error;
      }
    },
  };
}

function reader(type: FieldType, blanksAsZero: boolean): (stored: Stored) => Cell {
  switch (type) {
    case 'boolean':
      return (stored) => stored === 1;
    case 'percent':
      return (stored) => (stored === null ? (blanksAsZero ? 0 : null) : Number(stored) / 100);
    case 'int':
    case 'double':
    case 'currency':
      return (stored) => stored ?? (blanksAsZero ? 0 : null);
    case 'id':
    case 'reference':
      // Formulas know the short form ("CASESAFEID").
      return (stored) => (stored === null ? null : String(stored).slice(0, 15));
    default:
      return (stored) => stored;
  }
}

/** What a formula yields, as its field stores it. @throws {FormulaError} when it yields another type than the field's. */
export function resultFor(field: FieldDescribe, type: FormulaType): (cell: Cell) => Stored {
  const wanted = types[field.type];
  if (type !== 'blank' && type !== wanted) {
    throw new FormulaError(
      `Formula result is data type (${type}), incompatible with expected data type (${wanted ?? field.type}).`,
    );
  }
  switch (wanted) {
    case 'boolean':
      return (cell) => (cell === true ? 1 : 0);
    case 'number':
      return (cell) => {
        if (cell === null) return null;
        const value = roundTo(field.type === 'percent' ? (cell as number) * 100 : (cell as number), field.scale);
        // Too large for the field: `#Error!`, which the API shows as nothing.
        return field.precision > 0 && Math.abs(value) >= 10 ** (field.precision - field.scale) ? null : value;
      };
    case 'text':
      return (cell) => (cell === null ? null : String(cell).slice(0, field.length || undefined));
    default:
      return (cell) => cell as Stored;
  }
}
