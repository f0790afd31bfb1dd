import type { Describe, DescribeField } from '../describe.ts';

/** What the value of a formula follows from. */
export interface FormulaSources {
  /** Stored fields of the same record, lookups to parents among them: their changes are told. */
  readonly fields: readonly string[];
  /** It may change though nothing of its record does: it looks at other records, at the time, or at who reads. */
  readonly drifts: boolean;
}

/** Functions of time, and globals such as `$User`, which is the user who reads (Salesforce formula reference). */
const passing = /\b(?:TODAY|NOW|TIMENOW)\s*\(|\$[A-Za-z]/i;

/**
 * Follows a formula through other formulas of its object down to stored fields. Words of texts and comments are taken for fields too,
 * which costs a read and no value. Null where there is no formula to look at, as in a roll-up summary.
 */
export function formulaSources(describe: Describe, field: DescribeField): FormulaSources | null {
  if (!field.calculatedFormula) return null;
  const fields = new Set<string>();
  const seen = new Set<string>();
  let drifts = false;
  const follow = (formula: string): void => {
    if (passing.test(formula)) drifts = true;
    for (const [word] of formula.matchAll(/[A-Za-z]\w*(?:\.\w+)*/g)) {
      const own = ownField(describe, word);
      if (own === undefined) {
        const lookup = lookupTo(describe, word);
        if (lookup === undefined) continue;
        fields.add(lookup.name);
        drifts = true;
      } else if (!own.calculated) fields.add(own.name);
      else if (!seen.has(own.name)) {
        seen.add(own.name);
        if (own.calculatedFormula) follow(own.calculatedFormula);
        else drifts = true;
      }
    }
  };
  follow(field.calculatedFormula);
  return { fields: [...fields], drifts };
}

/** The lookup that a path such as `Account.Name` goes through. */
export function lookupTo(describe: Describe, path: string): DescribeField | undefined {
  if (!path.includes('.')) return undefined;
  const relationship = path.split('.')[0]!.toLowerCase();
  return describe.fields.find((field) => field.relationshipName?.toLowerCase() === relationship);
}

function ownField(describe: Describe, word: string): DescribeField | undefined {
  const lower = word.toLowerCase();
  return describe.fields.find(({ name }) => name.toLowerCase() === lower);
}
