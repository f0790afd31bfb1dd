import { rollUpField } from '../roll-up-field.ts';
import type { FieldDescribe } from '../types.ts';
import type { CustomField } from './custom-field.ts';
import type { Element } from './xml.ts';

/** How a calculated field comes by its value. */
export type CalculationSource =
  | { kind: 'formula'; formula: string; blanksAsZero: boolean }
  | {
      kind: 'roll-up';
      /** The child's object and its reference to the parent. */
      child: string;
      reference: string;
      operation: 'count' | 'sum' | 'min' | 'max';
      summarized?: string;
      filters: RollUpFilter[];
    };

export interface CalculatedSource {
  object: string;
  field: string;
  file: string;
  calculation: CalculationSource;
}

/** `<summaryFilterItems>`: all of them must be true. */
export interface RollUpFilter {
  /** Of the child, without its object. */
  field: string;
  /** `equals`, `notEqual`, `lessThan`, `contains` … */
  operation: string;
  value: string;
  /** Another field to compare with, instead of a value. */
  valueField?: string;
}

export interface ValidationRuleSource {
  object: string;
  name: string;
  file: string;
  active: boolean;
  errorFormula: string;
  message: string;
  field?: string;
}

/** `<summaryForeignKey>`, `<summarizedField>` and the rest of a roll-up (Metadata API guide, "CustomField"). */
export function readRollUp(element: Element): CalculationSource {
  const operation = element.requiredText('summaryOperation');
  if (operation !== 'count' && operation !== 'sum' && operation !== 'min' && operation !== 'max') {
    throw element.problem('summaryOperation', `is ${JSON.stringify(operation)}: count, sum, min or max was expected`);
  }
  const [child, reference] = element.requiredText('summaryForeignKey').split('.');
  if (child === undefined || reference === undefined) {
    throw element.problem('summaryForeignKey', 'is no field of an object: Child__c.Parent__c was expected');
  }
  const summarized = element.text('summarizedField')?.split('.').at(-1);
  if (summarized === undefined && operation !== 'count') throw element.problem('summarizedField', 'is missing');
  const filters = element.children('summaryFilterItems').map((item): RollUpFilter => {
    const valueField = item.text('valueField');
    return {
      field: item.requiredText('field').split('.').at(-1)!,
      operation: item.requiredText('operation'),
      value: item.text('value') ?? '',
      ...(valueField === undefined ? {} : { valueField }),
    };
  });
  return { kind: 'roll-up', child, reference, operation, filters, ...(summarized === undefined ? {} : { summarized }) };
}

/** A roll-up's field is like the field that it summarises, when that is known. */
export function describeRollUp(
  { declarations, calculation }: CustomField,
  fieldOf: (object: string, name: string) => FieldDescribe | undefined,
): void {
  const describe = declarations[0]?.describe;
  if (calculation?.kind !== 'roll-up' || !describe) return;
  const summarized = calculation.summarized === undefined ? undefined : fieldOf(calculation.child, calculation.summarized);
  const { inlineHelpText } = describe;
  Object.assign(describe, rollUpField(describe.name, describe.label, summarized), { inlineHelpText, nillable: true });
}

/** `<object>/validationRules/<name>.validationRule-meta.xml` (Metadata API guide, "ValidationRule"). */
export function readValidationRule(element: Element, object: string): ValidationRuleSource {
  const field = element.text('errorDisplayField');
  return {
    object,
    name: element.requiredText('fullName'),
    file: element.file,
    active: element.boolean('active'),
    errorFormula: element.requiredText('errorConditionFormula'),
    message: element.requiredText('errorMessage'),
    ...(field === undefined ? {} : { field }),
  };
}
