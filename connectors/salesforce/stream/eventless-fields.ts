import type { Describe, DescribeField } from '../describe.ts';
import type { Filter } from '../user-query.ts';

/**
 * Fields of an object that its change events do not carry, or not reliably: what the system derives or keeps for itself (`IsDeleted`,
 * `SystemModstamp`; recorded schemas of an Account lack them); formulas and roll-up summaries, of which pages of the Change Data
 * Capture Developer Guide say both, and whose change alone makes no event; binary values and addresses of pictures.
 */
const systemFields: ReadonlySet<string> = new Set([
  'IsDeleted',
  'SystemModstamp',
  'MasterRecordId',
  'LastActivityDate',
  'LastViewedDate',
  'LastReferencedDate',
  // Made of other fields, or of other records.
  'Fiscal',
  'FiscalQuarter',
  'FiscalYear',
  'HasOpenActivity',
  'HasOverdueTask',
]);

export function isEventless(field: DescribeField): boolean {
  return (
    systemFields.has(field.name) ||
    field.name === 'Id' ||
    field.calculated ||
    field.type === 'base64' ||
    field.extraTypeInfo === 'imageurl' ||
    /PhotoUrl$/.test(field.name)
  );
}

/**
 * Names for `Source.eventlessFields`. The key is not among them (it names the event's record), nor `IsDeleted`, which the kind of event
 * tells; a person's `Name` is, because events carry its parts only.
 */
export function eventlessFields(describe: Describe, names: readonly string[]): string[] {
  const byName = new Map(describe.fields.map((field) => [field.name, field]));
  const compounds = new Set(describe.fields.flatMap(({ name, compoundFieldName: of }) => (of && of !== name ? [of] : [])));
  return names.filter((name) => {
    const field = byName.get(name);
    // A field of a parent: no event of this object tells of it.
    if (field === undefined) return true;
    if (name === 'Id' || name === 'IsDeleted') return false;
    return isEventless(field) || (compounds.has(name) && name === 'Name');
  });
}

/**
 * Names for `Source.filterFields`; null where an event may move a record in or out without naming one of them: a parent's fields, other
 * objects' records, fields that events do not carry.
 */
export function fieldsOfFilter(
  describe: Describe,
  { words, hasSubselect }: Pick<Filter, 'words' | 'hasSubselect'>,
): string[] | null {
  if (hasSubselect) return null;
  const byName = new Map(describe.fields.map((field) => [field.name.toLowerCase(), field]));
  const own = `${describe.name.toLowerCase()}.`;
  const found = new Set<string>();
  for (const word of words) {
    const lower = word.toLowerCase();
    const field = byName.get(lower.startsWith(own) ? lower.slice(own.length) : lower);
    if (field === undefined) {
      if (word.includes('.')) return null;
      // An operator, a function, a date literal: a field that is none of the object's would be refused by the org.
      continue;
    }
    if (isEventless(field) && field.name !== 'Id' && field.name !== 'IsDeleted') return null;
    found.add(field.name);
  }
  return [...found];
}
