/** What a custom field may be, in Salesforce's own words (Metadata API Developer Guide, "CustomField"). */
export const definedFieldTypes = [
  'Text',
  'TextArea',
  'LongTextArea',
  'Html',
  'Number',
  'Currency',
  'Percent',
  'Checkbox',
  'Date',
  'DateTime',
  'Time',
  'Email',
  'Phone',
  'Url',
  'Picklist',
  'MultiselectPicklist',
  'Lookup',
] as const;
export type DefinedFieldType = (typeof definedFieldTypes)[number];

/** What a platform event's field may be (Platform Events Developer Guide, "Define and Manage Platform Events"). */
export const eventFieldTypes: readonly DefinedFieldType[] = ['Text', 'LongTextArea', 'Number', 'Checkbox', 'Date', 'DateTime'];

/** A field as it is made in an org. What its type does not have is absent. */
export interface FieldDefinition {
  readonly type: DefinedFieldType;
  readonly label?: string | undefined;
  readonly description?: string | undefined;
  readonly length?: number | undefined;
  /** Digits in all, and after the point. */
  readonly precision?: number | undefined;
  readonly scale?: number | undefined;
  /** Of a picklist, in their order. */
  readonly values?: readonly string[] | undefined;
  /** The object that a lookup points to. */
  readonly object?: string | undefined;
  readonly required?: boolean | undefined;
  readonly unique?: boolean | undefined;
  readonly externalId?: boolean | undefined;
}

/** A field as an org has it. */
export interface DescribedField {
  readonly name: string;
  /** Null for one that is not made as a field of ours could be: standard ones, formulas, roll-ups. */
  readonly definition: FieldDefinition | null;
  /** What a permission set names to let somebody see it: itself, or the address that it is a part of. Null: whoever sees the object does. */
  readonly grantedAs: string | null;
  /** Its values are somebody's to set. */
  readonly writable: boolean;
}

/** An object as an org has it, to the user who asks. */
export interface DescribedObject {
  readonly name: string;
  readonly fields: readonly DescribedField[];
}
