import type { Org } from '../org/types.ts';
import type { CalculatedSource, ValidationRuleSource } from '../schema/source/calculations.ts';
import type { FlowSource } from '../schema/source/flow.ts';
import type { SourceNote } from '../schema/source/problems.ts';
import type { OrgAutomation } from './automation.ts';
import { requireField } from './record-values.ts';
import { filterCondition } from './roll-up-filter.ts';
import { sourceFlow } from './source-flow.ts';

/**
 * Formulas, roll-ups, validation rules and flows of a source folder. What this org cannot calculate, check or run is left
 * out; the notes tell of it.
 */
export function takeOverSource(
  org: Org,
  { formulas, rollUps, validationRules, flows }: OrgAutomation,
  source: {
    readonly calculated: readonly CalculatedSource[];
    readonly validationRules: readonly ValidationRuleSource[];
    readonly flows: readonly FlowSource[];
  },
): SourceNote[] {
  const notes: SourceNote[] = [];
  const trying = (file: string, element: string, effect: string, work: () => void) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      notes.push({ file, element, message: `${effect}: ${error.message}` });
    }
  };
  // A roll-up wants to know of each formula what it follows from.
  for (const { object, field, file, calculation } of source.calculated) {
    if (calculation.kind !== 'formula') continue;
    const { formula, blanksAsZero } = calculation;
    trying(file, 'CustomField.formula', 'is not evaluated, and the field reads null', () =>
      formulas.define({ object, field, formula, blanksAsZero }),
    );
  }
  for (const { object, field, file, calculation } of source.calculated) {
    if (calculation.kind !== 'roll-up') continue;
    const { kind: _, filters, ...rest } = calculation;
    trying(file, 'CustomField.summaryOperation', 'is not calculated, and the field reads null', () => {
      const where = filterCondition(filters, (name) => requireField(org.calculations, rest.child, name).column.kind);
      rollUps.define({ object, field, ...rest, ...(where === undefined ? {} : { where }) });
    });
  }
  for (const { file, active, ...rule } of source.validationRules) {
    if (!active) continue;
    trying(file, 'ValidationRule.errorConditionFormula', 'is not enforced', () => validationRules.define(rule));
  }
  const typeOf = (object: string, field: string) => org.schema.field(object, field)?.type;
  for (const flow of source.flows) {
    trying(flow.file, 'Flow', 'is not run', () => flows.define(sourceFlow(flow, typeOf)));
  }
  return notes;
}
