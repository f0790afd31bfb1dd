import type { Stored } from '../org/table.ts';
import type { Org, Value, Values } from '../org/types.ts';
import { storeUnchecked, toRest } from '../org/values.ts';
import {
  checkbox,
  currency,
  custom,
  date,
  datetime,
  double,
  type FieldDeclaration,
  field,
  percent,
  readOnly,
  text,
} from '../schema/fields.ts';
import { readFormula, resultFor } from './formula/formula.ts';
import type { Cell } from './formula/types.ts';
import { requireField } from './record-values.ts';
import { requireObject } from './rules.ts';

export type FormulaFieldType = 'text' | 'number' | 'currency' | 'percent' | 'checkbox' | 'date' | 'datetime' | 'time';

/** A field whose value follows from others whenever it is read. Given as a formula, or as a function. */
export interface FormulaField {
  readonly object: string;
  /** `Margin__c`; made when the object has no such field. */
  readonly field: string;
  /** Of a field that is made. */
  readonly type?: FormulaFieldType;
  readonly label?: string;
  /** Decimals of a number; 2 when absent. */
  readonly scale?: number;
  readonly formula?: string;
  /** Whether the formula takes blank numbers for zero, as Setup proposes; true when absent. */
  readonly blanksAsZero?: boolean;
  /** What `compute` looks at: fields of the record and of its parents (`Account.Name`). */
  readonly uses?: readonly string[];
  /** Gets the values of `uses`, by the names given there. */
  readonly compute?: (values: Readonly<Values>) => Value;
}

export interface FormulaFields {
  /** One of that name is replaced. @throws {TypeError} @throws {FormulaError} */
  define(field: FormulaField): void;
  list(): readonly FormulaField[];
}

export interface FormulaFieldSet extends FormulaFields {
  /** Whether a field follows from its own record alone, whatever the time: the others cannot be summarised. */
  isOfRecord(object: string, path: string): boolean;
}

export function createFormulaFields(org: Org): FormulaFieldSet {
  const defined = new Map<string, FormulaField & { timed: boolean }>();
  const { calculations } = org;
  const keyOf = (object: string, name: string) => `${object}.${name}`.toLowerCase();
  org.schema.onChange((object) => {
    for (const [key, { object: name, field: own }] of defined) {
      if (name === object.name && !org.schema.field(name, own)) defined.delete(key);
    }
  });

  const set: FormulaFieldSet = {
    define(given) {
      const object = requireObject(org, given.object);
      if ((given.formula === undefined) === (given.compute === undefined)) {
        throw new TypeError(`${given.field} needs either 'formula' or 'compute'`);
      }
      // Read first, so that a formula that is refused leaves no field behind.
      const known = org.schema.field(object, given.field);
      if (known && !known.calculated) throw new TypeError(`${object}.${given.field} is no calculated field`);
      const describe = { ...(known ?? declare(given).describe) };
      const formula =
        given.formula === undefined
          ? undefined
          : readFormula(given.formula, {
              column: (path) => calculations.field(object, path)?.column,
              blanksAsZero: given.blanksAsZero ?? true,
            });
      const uses = formula ? formula.inputs.map(({ path }) => path as string) : (given.uses ?? []);
      for (const path of uses) requireField(calculations, object, path);
      const shown = given.formula ?? describe.calculatedFormula ?? 'NULL';
      const asZero = given.blanksAsZero ?? true;
      const fit = resultFor(describe, formula?.type ?? 'blank');
      if (describe.calculatedFormula !== shown || describe.formulaTreatNullNumberAsZero !== asZero) {
        Object.assign(describe, { calculatedFormula: shown, formulaTreatNullNumberAsZero: asZero });
        org.schema.add({ ...org.schema.object(object)!, fields: [describe] });
      }
      const compute = formula
        ? (inputs: readonly Stored[]) => fit(formula.work(inputs, org.clock.now()))
        : (inputs: readonly Stored[]) => fit(asCell(given.compute!(valuesOf(object, uses, inputs))));
      calculations.define(object, describe.name, { inputs: uses, compute });
      defined.set(keyOf(object, describe.name), { ...given, object, field: describe.name, timed: formula?.timed ?? false });
    },
    list: () => [...defined.values()].map(({ timed: _, ...given }) => given),
    isOfRecord(object, path) {
      if (path.includes('.')) return false;
      const inputs = calculations.field(object, path)?.inputs;
      if (!inputs) return true;
      return !defined.get(keyOf(object, path))?.timed && inputs.every((input) => set.isOfRecord(object, input));
    },
  };

  function valuesOf(object: string, uses: readonly string[], inputs: readonly Stored[]): Values {
    return Object.fromEntries(
      uses.map((path, i) => [path, toRest(requireField(calculations, object, path).column.kind, inputs[i] ?? null)]),
    );
  }

  function asCell(value: Value): Cell {
    // A datetime as REST writes it.
    return typeof value === 'string' && value.endsWith('.000+0000') ? storeUnchecked('datetime', value) : value;
  }

  return set;
}

function declare({
  field: name,
  type,
  label = name.replace(/__c$/, '').replaceAll('_', ' '),
  scale = 2,
}: FormulaField): FieldDeclaration {
  if (!/^[A-Za-z]\w*__c$/.test(name)) throw new TypeError(`a custom field's name ends with __c: '${name}'`);
  const changes = [custom, readOnly, { calculated: true, nillable: true, defaultedOnCreate: false, defaultValue: null }];
  switch (type) {
    case 'text':
      return text(name, label, 1300, ...changes);
    case 'number':
      return double(name, label, 18, scale, ...changes);
    case 'currency':
      return currency(name, label, scale, ...changes);
    case 'percent':
      return percent(name, label, 18, scale, ...changes);
    case 'checkbox':
      return checkbox(name, label, ...changes);
    case 'date':
      return date(name, label, ...changes);
    case 'datetime':
      return datetime(name, label, ...changes);
    case 'time':
      return field(name, label, 'time', ...changes);
    default:
      throw new TypeError(
        `'${name}' is no field yet: give its 'type' (text, number, currency, percent, checkbox, date, datetime, time)`,
      );
  }
}
