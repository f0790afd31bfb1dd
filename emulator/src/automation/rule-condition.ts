import type { Org, RecordSave } from '../org/types.ts';
import { readCondition } from '../soql/record-condition.ts';
import { readFormula } from './formula/formula.ts';
import type { Cell, FormulaType } from './formula/types.ts';
import { requireField } from './record-values.ts';

/** A question about a record that is being saved. */
export type SaveTest = (save: RecordSave) => boolean;

/** `Amount > 5 AND StageName = 'Won'`: a SOQL condition, asked of the record. @throws {TypeError} */
export function whereTest(org: Org, object: string, where: string): SaveTest {
  return readCondition<RecordSave>(where, {
    now: () => org.clock.now(),
    field(path) {
      const { kind } = requireField(org.calculations, object, path).column;
      return { kind, read: (save) => requireField(org.calculations, object, path).read(save.row, save.transaction.row) };
    },
  });
}

/** What a formula is asked with in a rule: with blanks that stay blank. */
export interface SaveFormula {
  readonly type: FormulaType;
  work(save: RecordSave): Cell;
}

/** A formula about a record that is being saved, which knows what was before. @throws {FormulaError} */
export function saveFormula(org: Org, object: string, text: string): SaveFormula {
  const { calculations, clock } = org;
  const formula = readFormula(text, {
    column: (path) => calculations.field(object, path)?.column,
    blanksAsZero: false,
    ofSave: true,
  });
  return {
    type: formula.type,
    work(save) {
      const inputs = formula.inputs.map(({ path, prior }) => {
        if (path === undefined) return save.kind === 'create' ? 1 : 0;
        const row = prior ? save.before : save.row;
        return row ? (calculations.field(object, path)?.read(row, save.transaction.row) ?? null) : null;
      });
      return formula.work(inputs, clock.now());
    },
  };
}

/** @throws {TypeError} when it does not yield true or false. */
export function formulaTest(org: Org, object: string, text: string): SaveTest {
  const formula = saveFormula(org, object, text);
  if (formula.type !== 'boolean') throw new TypeError(`the formula '${text}' yields ${formula.type}, not true or false`);
  return (save) => formula.work(save) === true;
}

/** How a rule says when it applies. Only one of them; without any it always does. */
export interface RuleCondition {
  /** A SOQL condition on the record and its parents. */
  where?: string;
  /** A formula that yields true or false; it knows `ISCHANGED`, `PRIORVALUE` and `ISNEW`. */
  formula?: string;
  when?: SaveTest;
}

/** @throws {TypeError} */
export function conditionTest(org: Org, object: string, { where, formula, when }: RuleCondition): SaveTest {
  if ([where, formula, when].filter((given) => given !== undefined).length > 1) {
    throw new TypeError("give one of 'where', 'formula' and a function");
  }
  if (where !== undefined) return whereTest(org, object, where);
  if (formula !== undefined) return formulaTest(org, object, formula);
  return when ?? (() => true);
}
