import { type Org, type RecordSave, SalesforceError } from '../org/types.ts';
import { type RecordValues, recordValues, requireField } from './record-values.ts';
import { conditionTest, type SaveTest } from './rule-condition.ts';
import { createRuleSet, requireObject } from './rules.ts';

/** What a validation rule of a function may ask beside the record. */
export interface SavedRecord {
  readonly isNew: boolean;
  /** Absent for a new record. */
  readonly before: RecordValues | undefined;
}

/** Says with one of `check`, `errorFormula` and `errorWhere` which records it refuses. */
export interface ValidationRule {
  readonly object: string;
  readonly name: string;
  readonly message: string;
  /** Where the error is shown, and named in the reply; at the top of the page when absent. */
  readonly field?: string;
  /** True lets the record pass. */
  readonly check?: (record: RecordValues, save: SavedRecord) => boolean;
  /** A formula; true refuses, as `<errorConditionFormula>` does. */
  readonly errorFormula?: string;
  /** A SOQL condition; true refuses. */
  readonly errorWhere?: string;
}

export interface ValidationRules {
  /** A rule of that name is replaced. @throws {TypeError} */
  define(rule: ValidationRule): void;
  remove(object: string, name: string): boolean;
  list(): readonly ValidationRule[];
}

export interface ValidationRuleRunner extends ValidationRules {
  run(save: RecordSave): void;
}

export function createValidationRules(org: Org): ValidationRuleRunner {
  const rules = createRuleSet<ValidationRule & { fails: SaveTest }>();
  const keyOf = (object: string, name: string) => `${object}.${name}`.toLowerCase();

  return {
    define(rule) {
      const object = requireObject(org, rule.object);
      const field = rule.field === undefined ? undefined : requireField(org.calculations, object, rule.field).column.name;
      const { check, errorFormula: formula, errorWhere: where } = rule;
      if (!check && formula === undefined && where === undefined) {
        throw new TypeError(`the rule '${rule.name}' refuses nothing: give 'check', 'errorFormula' or 'errorWhere'`);
      }
      const fails = conditionTest(org, object, {
        ...(formula === undefined ? {} : { formula }),
        ...(where === undefined ? {} : { where }),
        ...(check ? { when: (save: RecordSave) => !check(valuesOf(org, save), factsOf(org, save)) } : {}),
      });
      rules.put(keyOf(object, rule.name), { ...rule, object, ...(field === undefined ? {} : { field }), fails });
    },
    remove: (object, name) => rules.remove(keyOf(object, name)),
    list: () => rules.all.map(({ fails: _, ...rule }) => rule),
    run(save) {
      for (const { fails, message, field } of rules.of(save.object)) {
        if (!fails(save)) continue;
        throw new SalesforceError('FIELD_CUSTOM_VALIDATION_EXCEPTION', message, { fields: field === undefined ? [] : [field] });
      }
    },
  };
}

const valuesOf = (org: Org, save: RecordSave) => recordValues(org, save.object, save.row, save.transaction.row);

function factsOf(org: Org, save: RecordSave): SavedRecord {
  const { before, object, transaction } = save;
  return { isNew: save.kind === 'create', before: before && recordValues(org, object, before, transaction.row) };
}
