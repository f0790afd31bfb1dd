import { z } from 'zod';
import { type DefinedFieldType, definedFieldTypes, type FieldDefinition } from '../model/object-definition.ts';
import { connectionRef, mapping, notes } from './schema.ts';

/** `package`: what `tidemark package` makes of an org's side that syncs do not tell. */

/** Types by a number or two, and what these are. */
const numbered: { readonly [type in DefinedFieldType]?: readonly ('length' | 'precision' | 'scale')[] } = {
  Text: ['length'],
  LongTextArea: ['length'],
  Html: ['length'],
  Number: ['precision', 'scale'],
  Currency: ['precision', 'scale'],
  Percent: ['precision', 'scale'],
};

/** What a type has unless told otherwise. */
const usual: { readonly [type in DefinedFieldType]?: Partial<FieldDefinition> } = {
  Text: { length: 255 },
  LongTextArea: { length: 32_768 },
  Html: { length: 32_768 },
  Number: { precision: 18, scale: 0 },
  Currency: { precision: 18, scale: 2 },
  Percent: { precision: 5, scale: 2 },
};

/** As Salesforce bounds them (Metadata API Developer Guide, "CustomField"). */
const lengths: { readonly [type in DefinedFieldType]?: readonly [min: number, max: number] } = {
  Text: [1, 255],
  LongTextArea: [256, 131_072],
  Html: [256, 131_072],
};

const shorthand = /^([A-Za-z]+)(?:\(\s*([\w]+)\s*(?:,\s*(\d+)\s*)?\))?$/;

const fieldText = z
  .string()
  .transform((text, context): FieldDefinition => {
    const [, name = '', first, second] = shorthand.exec(text.trim()) ?? [];
    const type = definedFieldTypes.find((each) => each === name);
    const wrong = (message: string, hint: string) => {
      context.addIssue({ code: 'custom', message, params: { hint } });
      return z.NEVER;
    };
    if (type === undefined) return wrong('is no type of a field', `write one of: ${definedFieldTypes.join(', ')}`);
    if (type === 'Lookup') {
      return first !== undefined && second === undefined
        ? { type, object: first }
        : wrong('points nowhere', 'write Lookup(Account)');
    }
    const names = numbered[type] ?? [];
    const given = [first, second].filter((each) => each !== undefined);
    if (given.length > names.length || given.some((each) => !/^\d+$/.test(each))) {
      return wrong(`is more than ${type} takes`, `write ${type}${names.length === 0 ? '' : `(${names.join(', ')})`}`);
    }
    return complete({ type, ...Object.fromEntries(given.map((each, i) => [names[i]!, Number(each)])) }, context);
  })
  .meta({ description: 'Its type, e.g. Text(40), Number(8, 0), Checkbox, Lookup(Account)' });

const fieldBlock = z
  .strictObject({
    type: z.enum(definedFieldTypes).meta({ description: "Its type, in Salesforce's words" }),
    label: z.string().min(1).optional().meta({ description: 'What people read; from its name unless told otherwise' }),
    description: z.string().min(1).optional().meta({ description: 'Shown to administrators' }),
    length: z.int().min(1).max(131_072).optional().meta({ description: 'Most characters' }),
    precision: z.int().min(1).max(18).optional().meta({ description: 'Digits in all' }),
    scale: z.int().min(0).max(17).optional().meta({ description: 'Digits after the point' }),
    values: z.array(z.string().min(1)).min(1).optional().meta({ description: 'Of a picklist' }),
    object: z.string().min(1).optional().meta({ description: 'The object that a lookup points to' }),
    required: z.boolean().optional().meta({ description: 'A record without it is refused' }),
    unique: z.boolean().optional().meta({ description: 'No two records share a value; what syncs find records by is' }),
    externalId: z.boolean().optional().meta({ description: 'Records are found by it; what syncs find records by is' }),
  })
  .transform((field, context): FieldDefinition => complete(field, context));

const field = z.union([fieldText, fieldBlock]);

/** With what its type has anyway, and refused with what it has not. */
function complete(given: FieldDefinition, context: z.RefinementCtx): FieldDefinition {
  const { type } = given;
  const wrong = (message: string, hint: string) => context.addIssue({ code: 'custom', message, params: { hint } });
  for (const part of ['length', 'precision', 'scale'] as const) {
    if (given[part] !== undefined && !numbered[type]?.includes(part)) wrong(`${type} has no ${part}`, 'leave it out');
  }
  const isPicklist = type === 'Picklist' || type === 'MultiselectPicklist';
  if (isPicklist !== (given.values !== undefined)) {
    wrong(isPicklist ? 'lacks its values' : `${type} has no values`, isPicklist ? 'add values: [Hot, Cold]' : 'leave them out');
  }
  if ((type === 'Lookup') !== (given.object !== undefined)) {
    wrong(type === 'Lookup' ? 'points nowhere' : `${type} has no object`, type === 'Lookup' ? 'add object:' : 'leave it out');
  }
  const field = { ...usual[type], ...given };
  const [min, max] = lengths[type] ?? [0, Number.POSITIVE_INFINITY];
  if (field.length !== undefined && (field.length < min || field.length > max)) {
    wrong(`${type} is ${min} to ${max} characters long`, type === 'Text' ? 'take LongTextArea for more' : 'take Text for less');
  }
  if (field.scale !== undefined && field.precision !== undefined && field.scale > field.precision) {
    wrong('has more digits after the point than in all', 'write Number(digits in all, after the point)');
  }
  if (field.precision !== undefined && field.precision > 18) wrong('has more than 18 digits', 'Salesforce keeps 18 at most');
  return field;
}

const customName = (end: string, example: string) =>
  z.string().regex(new RegExp(`^[A-Za-z]\\w{0,79}${end}$`), `is written like ${example}`);

const label = z.string().min(1).max(40).optional().meta({ description: 'What people read; from its name unless told otherwise' });
const plural = z.string().min(1).max(40).optional().meta({ description: 'Of several; the label and an s unless told otherwise' });
const fields = (description: string) => z.record(customName('__c', 'Rating__c'), field).meta({ description });

const object = z.strictObject({
  label,
  plural,
  fields: fields(
    'Custom fields, e.g. Rating__c: Text(10). The org, or else the source, is asked for types of written fields that are not here',
  ).optional(),
});

const event = z.strictObject({
  label,
  plural,
  publish: z
    .enum(['after-commit', 'immediately'])
    .default('after-commit')
    .meta({ description: 'When a message goes out: once what published it is saved, or whatever becomes of that' }),
  fields: fields('Fields of a message, e.g. Record_Ids__c: LongTextArea').optional(),
});

const flow = z.strictObject({
  label,
  object: z
    .string()
    .regex(/^[A-Za-z]\w*$/, 'is the API name of an object')
    .meta({ description: 'Its records start the Flow' }),
  on: z
    .array(z.enum(['create', 'update']))
    .min(1)
    .default(['create', 'update'])
    .meta({ description: 'What starts it' }),
  when: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "A formula over the record's fields: ISNEW() || ISCHANGED(Website). Absent: always" }),
  publish: customName('__e', 'Sync_Request__e').meta({ description: 'The platform event that it publishes' }),
  fields: mapping.meta({ description: "Field of the event: field of the record, or '= formula'" }),
  active: z.boolean().default(true).meta({ description: 'Whether it runs as soon as it is deployed' }),
});

const word = /^[A-Za-z](?:\w*[A-Za-z0-9])?$/;

export const packageSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z][\w .-]{0,39}$/, 'takes letters, digits, spaces and . _ -, 40 at most')
    .default('Tidemark')
    .meta({ description: "The package's name, and its permission sets'" }),
  namespace: z
    .string()
    .regex(/^(?!.*__)[A-Za-z][A-Za-z0-9_]{0,14}$/, 'takes letters, digits and single underscores, 15 at most')
    .optional()
    .meta({ description: 'Of a managed package: names in syncs begin with it (acme__Rating__c). Absent: an unlocked package' }),
  connection: connectionRef.optional().meta({ description: 'The org that is meant, where there are several' }),
  objects: z
    .record(z.string().regex(/^[A-Za-z]\w*$/, 'is the API name of an object'), object)
    .optional()
    .meta({ description: 'Objects by API name: custom ones, and standard ones that get fields of yours' }),
  events: z.record(customName('__e', 'Sync_Request__e'), event).optional().meta({ description: 'Platform events by API name' }),
  flows: z
    .record(z.string().regex(word, 'takes letters, digits and _, and begins with a letter'), flow)
    .optional()
    .meta({ description: 'Record-triggered Flows that publish an event, by API name' }),
  notes,
});

export type PackageInput = z.output<typeof packageSchema>;
