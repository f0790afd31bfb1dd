/** What to do about a refused record, by what refused it: codes of ours, of Salesforce, and SQLSTATEs of PostgreSQL. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^key_missing$/, 'A field of its key is empty. Fill it in the source, or leave such records out with a filter.'],
  [
    /^(several_matches|lookup_ambiguous)$/,
    'More than one record matches. Make the match key unique, or merge the records that match.',
  ],
  [/^match_is_taken$/, 'The record that it matches belongs to another one already. Merge the two, or mend their keys.'],
  [/^lookup_missing$/, 'The record that it refers to is not there. Add it, or say missing: keep or drop at the lookup step.'],
  [/^cannot_create$/, 'It cannot be made on that side. tidemark check says which link field or right is missing.'],
  [/^event_unreadable$/, 'Its content cannot be read any more. Mend the sender; the failure keeps what came.'],
  [
    /^(datatype_mismatch|22\w{3}|SQLITE_MISMATCH)$/,
    'A value does not fit its column. Convert it with an expression in fields:, or change the column.',
  ],
  [/^(STRING_TOO_LONG|22001)$/, 'A text is too long for its field. Cut it with $substring in fields:, or make the field longer.'],
  [
    /^(23505|DUPLICATE_VALUE|SQLITE_CONSTRAINT_UNIQUE|11000)$/,
    'Another record has the same value in a unique field. Mend the value, or the record that has it.',
  ],
  [
    /^(23502|REQUIRED_FIELD_MISSING|SQLITE_CONSTRAINT_NOTNULL)$/,
    'A required field is empty. Map it, or give it a default with an expression.',
  ],
  [
    /^(23503|SQLITE_CONSTRAINT_FOREIGNKEY)$/,
    'The record that it refers to is not there yet. It is tried again; see whether that record arrives.',
  ],
  [/^(23514|SQLITE_CONSTRAINT_CHECK|121)$/, 'A rule of the table refuses it. Mend the value, or the rule.'],
  [
    /^FIELD_CUSTOM_VALIDATION_EXCEPTION$/,
    'A validation rule of the org refuses it. Mend the value, or let the rule pass the integration user.',
  ],
  [
    /^INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST$/,
    'The value is not in the picklist. Add it to the picklist, or map it to one that is.',
  ],
  [
    /^(INSUFFICIENT_ACCESS\w*|INVALID_FIELD_FOR_INSERT_UPDATE|CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY|42501)$/,
    'The user that we sign in as may not write it. tidemark check names the right that is missing.',
  ],
  [
    /^DUPLICATES_DETECTED$/,
    'A duplicate rule of the org refuses it. Merge the duplicates, or allow them for this sync with its header.',
  ],
  [/^(UNABLE_TO_LOCK_ROW|40\w{3}|55P03)$/, 'Somebody else was writing the same record. It is tried again by itself.'],
  [
    /^(ENTITY_IS_DELETED|INVALID_CROSS_REFERENCE_KEY)$/,
    'A record that it needs is deleted. Restore it, or discard this failure.',
  ],
  [/^(not_connected|transient|rate_limited|over_budget)$/, 'The other system did not answer. It is tried again by itself.'],
];

/** In plain words, for whoever does not know the code. */
export function remedyOf({ code, place }: { readonly code: string; readonly place: string }): string {
  const known = remedies.find(([codes]) => codes.test(code));
  if (known !== undefined) return known[1];
  return place === 'target'
    ? 'Mend the record where it comes from, or the mapping, then retry. Discard it to leave the target as it is.'
    : `The step ${place} failed on this record. Mend the step or the record, then retry.`;
}
