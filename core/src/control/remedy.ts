/**
 * What to do about a refused record, by what refused it: codes of ours, of Salesforce, SQLite and MongoDB, and SQLSTATEs of
 * PostgreSQL. A `*` at the end stands for whatever follows; who is named in full counts more.
 */
export const remedies: readonly { readonly codes: readonly string[]; readonly remedy: string }[] = [
  {
    codes: ['key_missing', 'MISSING_ARGUMENT'],
    remedy: 'A field of its key is empty. Fill it in the source, or leave such records out with a filter.',
  },
  {
    codes: ['several_matches', 'lookup_ambiguous'],
    remedy: 'More than one record matches. Make the match key unique, or merge the records that match.',
  },
  {
    codes: ['match_is_taken'],
    remedy: 'The record that it matches belongs to another one already. Merge the two, or mend their keys.',
  },
  {
    codes: ['lookup_missing'],
    remedy: 'The record that it refers to is not there. Add it, or say missing: keep or drop at the lookup step.',
  },
  {
    codes: ['conflict'],
    remedy: 'Both sides have changed it. tidemark conflicts list names it, and tidemark conflicts resolve decides it.',
  },
  {
    codes: ['cannot_create'],
    remedy: 'It cannot be made on that side. tidemark check says which link field or right is missing.',
  },
  {
    codes: ['event_unreadable'],
    remedy: 'Its content cannot be read any more. Mend the sender; the failure keeps what came.',
  },
  {
    codes: ['datatype_mismatch', 'wrong_type', 'VALUE_REFUSED', '22*', 'SQLITE_CONSTRAINT_DATATYPE'],
    remedy: 'A value does not fit its column. Convert it with an expression in fields:, or change the column.',
  },
  {
    codes: ['STRING_TOO_LONG', '22001'],
    remedy: 'A text is too long for its field. Cut it with $substring in fields:, or make the field longer.',
  },
  {
    codes: ['EVENT_TOO_LARGE', 'MESSAGE_TOO_LARGE', '10334', '54000'],
    remedy: 'It is larger than the other system takes. Leave long fields out, or cut them with $substring in fields:.',
  },
  {
    codes: ['23505', 'DUPLICATE_VALUE', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY', '11000'],
    remedy: 'Another record has the same value in a unique field. Mend the value, or the record that has it.',
  },
  {
    codes: ['23502', 'REQUIRED_FIELD_MISSING', 'SQLITE_CONSTRAINT_NOTNULL'],
    remedy: 'A required field is empty. Map it, or give it a default with an expression.',
  },
  {
    codes: ['23503', 'SQLITE_CONSTRAINT_FOREIGNKEY'],
    remedy: 'The record that it refers to is not there yet. It is tried again; see whether that record arrives.',
  },
  {
    codes: ['23514', 'SQLITE_CONSTRAINT_CHECK', 'SQLITE_CONSTRAINT_TRIGGER', 'P0001', '121'],
    remedy: 'A rule of the table refuses it. Mend the value, or the rule.',
  },
  {
    codes: ['FIELD_CUSTOM_VALIDATION_EXCEPTION'],
    remedy: 'A validation rule of the org refuses it. Mend the value, or let the rule pass the integration user.',
  },
  {
    codes: ['INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST'],
    remedy: 'The value is not in the picklist. Add it to the picklist, or map it to one that is.',
  },
  {
    codes: ['INSUFFICIENT_ACCESS*', 'INVALID_FIELD_FOR_INSERT_UPDATE', 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', '42501'],
    remedy: 'The user that we sign in as may not write it. tidemark check names the right that is missing.',
  },
  {
    codes: ['DUPLICATES_DETECTED'],
    remedy: 'A duplicate rule of the org refuses it. Merge the duplicates, or say allowDuplicates: true in to:.',
  },
  {
    codes: ['UNABLE_TO_LOCK_ROW', '40*', '55P03'],
    remedy: 'Somebody else was writing the same record. It is tried again by itself.',
  },
  {
    codes: ['ENTITY_IS_DELETED', 'INVALID_CROSS_REFERENCE_KEY', 'NOT_FOUND'],
    remedy: 'A record that it needs is deleted, or was never there. Restore it, or discard this failure.',
  },
  {
    codes: ['MALFORMED_ID'],
    remedy: 'A text stands where Salesforce wants the id of a record. Map the id, or use an external id as the key.',
  },
  {
    codes: ['HTTP_*'],
    remedy: 'The HTTP API refuses it, for the reason that the message quotes. Mend the record, or the mapping.',
  },
  {
    codes: ['PATH_VALUE'],
    remedy: 'A field of path: is empty, or cannot stand in a path. Fill it, or leave such records out with a filter.',
  },
  {
    codes: ['LOOKUP_VALUE', 'LOOKUP_PAGED'],
    remedy: 'The lookup cannot be asked for, or read as, what the step says. The message says what to change there.',
  },
  {
    codes: ['not_connected', 'transient', 'rate_limited', 'over_budget'],
    remedy: 'The other system did not answer. It is tried again by itself.',
  },
];

const byCode = new Map(remedies.flatMap(({ codes, remedy }) => codes.map((code) => [code, remedy] as const)));
const byBeginning = [...byCode].flatMap(([code, remedy]) => (code.endsWith('*') ? [[code.slice(0, -1), remedy] as const] : []));

/** In plain words, for whoever does not know the code. A place besides the target is a step, or one of two sides. */
export function remedyOf({ code, place }: { readonly code: string; readonly place: string }): string {
  const known = byCode.get(code) ?? byBeginning.find(([beginning]) => code.startsWith(beginning))?.[1];
  if (known !== undefined) return known;
  return place === 'target'
    ? 'Mend the record where it comes from, or the mapping, then retry. Discard it to leave the target as it is.'
    : `${place} did not take this record. Mend the record, or what is wrong there, then retry.`;
}
