import type { Org } from '../org/types.ts';
import { createFlows, type Flows } from './flows.ts';
import { createFormulaFields, type FormulaFields } from './formula-fields.ts';
import { createRollUps, type RollUps } from './roll-ups.ts';
import { createTriggers, type Triggers } from './triggers.ts';
import { createValidationRules, type ValidationRules } from './validation-rules.ts';

/** What an org does by itself. */
export interface OrgAutomation {
  readonly validationRules: ValidationRules;
  readonly triggers: Triggers;
  readonly flows: Flows;
  readonly formulas: FormulaFields;
  readonly rollUps: RollUps;
}

/**
 * In the order of "Triggers and Order of Execution" (Apex Developer Guide): flows before the save, before triggers,
 * validation rules, after triggers, flows after the save, roll-ups.
 */
export function createAutomation(org: Org): OrgAutomation {
  const validationRules = createValidationRules(org);
  const triggers = createTriggers(org);
  const flows = createFlows(org);
  const formulas = createFormulaFields(org);
  const rollUps = createRollUps(org, formulas);
  let active = false;

  /** An org without rules saves faster: it need not ask for them. */
  function activate(): void {
    if (active) return;
    active = true;
    org.automate({
      beforeSave(save) {
        rollUps.begin(save);
        flows.runBefore(save);
        triggers.run(save, 'before');
      },
      validate: (save) => validationRules.run(save),
      afterSave(save) {
        triggers.run(save, 'after');
        flows.runAfter(save);
      },
      recalculate: (touched, recalculation) => rollUps.recalculate(touched, recalculation),
    });
  }

  const activating = <Part extends { define(given: never): void }>(part: Part): Part => ({
    ...part,
    define(given: never) {
      part.define(given);
      activate();
    },
  });

  return {
    validationRules: activating<ValidationRules>(validationRules),
    triggers: activating<Triggers>(triggers),
    flows: activating<Flows>(flows),
    formulas,
    rollUps: activating<RollUps>(rollUps),
  };
}
