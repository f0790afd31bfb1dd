import type { FlowFilter, FlowOperand, FlowSource } from '../schema/source/flow.ts';
import type { Flow, FlowValue } from './flows.ts';

/** A flow of a source folder as this org's. @throws {TypeError} it asks for what cannot be answered here */
export function sourceFlow(source: FlowSource, typeOf: (object: string, field: string) => string | undefined): Flow {
  const { name, object, on, onlyWhenItBecomesTrue, creates } = source;
  const conditions = source.filters.map((filter) => filterFormula(filter, typeOf(object, filter.field)));
  const formula = source.formula === undefined ? joined(conditions, source.filterLogic) : recordFormula(source.formula);
  return {
    ...{ name, object, on, onlyWhenItBecomesTrue },
    ...(formula === undefined ? {} : { formula }),
    actions: creates.map((create) => {
      const values = Object.fromEntries(create.values.map(({ field, value }) => [field, flowValue(value)]));
      return create.object.endsWith('__e') ? { publish: create.object, values } : { create: create.object, values };
    }),
  };
}

/** A flow's formula in the words of a rule: `{!$Record.Website}` is `Website`, and what was before is asked for. */
function recordFormula(formula: string): string {
  return formula
    .replaceAll(/(?:\{!)?\$Record__Prior\.([\w.]+)\}?/g, 'PRIORVALUE($1)')
    .replaceAll(/(?:\{!)?\$Record\.([\w.]+)\}?/g, '$1')
    .replaceAll(/\{!([^}]*)\}/g, '$1');
}

function flowValue(value: FlowOperand): FlowValue {
  if ('formula' in value) return { formula: recordFormula(value.formula) };
  return 'field' in value ? value : value.literal;
}

/** `1 AND (2 OR 3)`, or all or any of them. */
function joined(conditions: readonly string[], logic: string): string | undefined {
  if (conditions.length === 0) return undefined;
  const numbered = /^(?:and|or)$/i.test(logic) ? conditions.map((_, i) => i + 1).join(` ${logic} `) : logic;
  return numbered
    .replaceAll(/\bAND\b/gi, '&&')
    .replaceAll(/\bOR\b/gi, '||')
    .replaceAll(/\d+/g, (number) => `(${conditions[Number(number) - 1] ?? 'FALSE'})`);
}

const comparisons: Readonly<Record<string, string>> = {
  EqualTo: '=',
  NotEqualTo: '<>',
  GreaterThan: '>',
  GreaterThanOrEqualTo: '>=',
  LessThan: '<',
  LessThanOrEqualTo: '<=',
};

function filterFormula({ field, operator, value }: FlowFilter, type: string | undefined): string {
  const subject = type === 'picklist' ? `TEXT(${field})` : field;
  const isTrue = 'literal' in value && value.literal !== false;
  if (operator === 'IsChanged') return isTrue ? `ISCHANGED(${field})` : `NOT(ISCHANGED(${field}))`;
  if (operator === 'IsNull') return isTrue ? `ISBLANK(${subject})` : `NOT(ISBLANK(${subject}))`;
  const operand =
    'literal' in value ? literal(value.literal, type) : 'field' in value ? value.field : recordFormula(value.formula);
  if (operator === 'Contains') return `CONTAINS(${subject}, ${operand})`;
  if (operator === 'StartsWith') return `BEGINS(${subject}, ${operand})`;
  const comparison = comparisons[operator];
  if (comparison === undefined) throw new TypeError(`a flow cannot ask for '${operator}' here`);
  return `${subject} ${comparison} ${operand}`;
}

function literal(value: string | number | boolean | null, type: string | undefined): string {
  if (value === null) return '""';
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (typeof value === 'number') return String(value);
  const text = `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
  if (type === 'date') return `DATEVALUE(${text})`;
  return type === 'datetime' ? `DATETIMEVALUE(${text})` : text;
}
