import { kindOf, type Stored } from '../org/table.ts';
import type { FieldDescribe, ObjectDescribe } from '../schema/types.ts';
import { type AvroField, type AvroType, eventNamespace, headerRecord, nullable, part } from './avro-schema.ts';
import { changeEventName } from './event-names.ts';
import { createRecordCodec, type RecordCodec } from './record-codec.ts';
import { numberForm, textForm, type ValueForm, valueForms } from './value-forms.ts';

/** A part of a compound field and the column that it is read from; none when this object has no such part. */
export interface PartPlan {
  readonly name: string;
  readonly column: string | undefined;
  readonly form: ValueForm;
}

/** One body field of a change event. */
export interface FieldPlan {
  readonly name: string;
  /** In the event's record, where the header is 0: what the bitmaps count in. */
  readonly index: number;
  /** The column, or the compound field that is visible or not as a whole. */
  readonly source: string;
  readonly form: ValueForm;
  /** Texts of a kind that is sent as a diff when long. */
  readonly isLongText: boolean;
  /** Of a compound field. */
  readonly parts: readonly PartPlan[] | undefined;
  /** Both components of a custom object's geolocation are sent when one changed. */
  readonly wholeOnly: boolean;
}

/** How one object's rows become change events, for as long as its fields stay as they are. */
export interface ChangeEventPlan {
  readonly object: string;
  readonly eventName: string;
  readonly codec: RecordCodec;
  readonly fields: readonly FieldPlan[];
  /** `LastModifiedDate`, if the object has it. */
  readonly editDate: FieldPlan | undefined;
}

/** Filled by Salesforce for its own ends, and in no change event (guide, "Change Event Fields"; recorded schemas lack them). */
const neverInEvents: ReadonlySet<string> = new Set([
  'Id',
  'IsDeleted',
  'SystemModstamp',
  'MasterRecordId',
  'LastActivityDate',
  'LastViewedDate',
  'LastReferencedDate',
]);

/** @param fieldId  The id of a custom field, which its `doc` ends with. */
export function planChangeEvent(object: ObjectDescribe, fieldId: (field: FieldDescribe) => string): ChangeEventPlan {
  const eventName = changeEventName(object.name);
  const inEvents = object.fields.filter(isInEvents);
  const partsOf = (compound: string) =>
    inEvents.filter((field) => field.compoundFieldName === compound && field.name !== compound && kindOf(field) !== 'compound');
  const defined = new Set<string>();
  const fields: FieldPlan[] = [];
  const avroFields: AvroField[] = [];
  for (const field of inEvents) {
    const type = compoundType(field, partsOf(field.name));
    if (!type && field.compoundFieldName !== null && field.compoundFieldName !== field.name) continue;
    const parts = type && planParts(type, field, partsOf(field.name), inEvents);
    const form = valueForms(field);
    const doc = docOf(field, type, fieldId);
    if (type) {
      avroFields.push(nullable(field.name, compoundAvro(type, parts!, defined), doc));
    } else avroFields.push(nullable(field.name, form.avro, doc));
    const stored = type && type !== 'Switchable_PersonName' ? parts : undefined;
    fields.push({
      name: field.name,
      index: avroFields.length,
      source: field.name,
      form,
      isLongText: field.type === 'textarea' && field.length > 255,
      parts: stored,
      wholeOnly: type === 'Location' && object.custom,
    });
  }
  const header: AvroField = { name: 'ChangeEventHeader', type: headerRecord, doc: 'Data:ComplexValueType' };
  const record = { type: 'record' as const, name: eventName, namespace: eventNamespace, fields: [header, ...avroFields] };
  const editDate = fields.find(({ name }) => name === 'LastModifiedDate');
  return { object: object.name, eventName, codec: createRecordCodec(record), fields, editDate };
}

/** Whether a field is told of in change events. */
export function isInEvents(field: FieldDescribe): boolean {
  if (neverInEvents.has(field.name) || field.type === 'base64' || field.extraTypeInfo === 'imageurl') return false;
  // A formula's change alone makes no event, so its values would mislead. A roll-up is saved with its record, and in events
  // by one page of the guide (by another it is not).
  return !field.calculated || isRollUp(field);
}

/** Calculated without a formula. The calculated standard fields are derived by Salesforce in other ways. */
const isRollUp = (field: FieldDescribe) => field.calculated && field.custom && field.calculatedFormula === null;

type CompoundType = 'Address' | 'Location' | 'PersonName' | 'Switchable_PersonName';

function compoundType(field: FieldDescribe, parts: readonly FieldDescribe[]): CompoundType | undefined {
  if (field.type === 'address') return 'Address';
  if (field.type === 'location') return 'Location';
  if (field.extraTypeInfo === 'switchablepersonname') return 'Switchable_PersonName';
  return field.name === 'Name' && parts.length > 0 ? 'PersonName' : undefined;
}

const names = ['Salutation', 'FirstName', 'LastName', 'MiddleName', 'InformalName', 'Suffix'];
const addressParts = ['Street', 'City', 'State', 'PostalCode', 'Country', 'StateCode', 'CountryCode'];
const partOrder: Record<CompoundType, readonly string[]> = {
  Address: [...addressParts, 'Latitude', 'Longitude', 'GeocodeAccuracy'],
  Location: ['Latitude', 'Longitude'],
  PersonName: names,
  Switchable_PersonName: names,
};
/** There whether the org uses them or not; others come with a setting (state picklists, middle names). */
const alwaysThere: Record<CompoundType, readonly string[]> = {
  Address: [...addressParts.slice(0, 5), 'Latitude', 'Longitude', 'GeocodeAccuracy'],
  Location: ['Latitude', 'Longitude'],
  PersonName: names.slice(0, 3),
  Switchable_PersonName: names.slice(0, 3),
};

/** The parts in the order of recorded schemas. A type is defined once, so that all fields of it have the same parts. */
function planParts(
  type: CompoundType,
  compound: FieldDescribe,
  parts: readonly FieldDescribe[],
  all: readonly FieldDescribe[],
): PartPlan[] {
  const twins = all.filter((field) => field.type === compound.type && field.type === 'address').map((field) => field.name);
  const used = new Set(
    all.flatMap((field) => {
      const own = field.compoundFieldName === compound.name || twins.includes(field.compoundFieldName ?? '');
      return own && field.compoundFieldName !== field.name ? [partName(field.compoundFieldName!, field.name)] : [];
    }),
  );
  return partOrder[type]
    .filter((name) => used.has(name) || alwaysThere[type].includes(name))
    .map((name) => {
      const column = parts.find((field) => partName(compound.name, field.name) === name);
      const isNumber = name === 'Latitude' || name === 'Longitude';
      return { name, column: column?.name, form: isNumber ? numberForm : textForm };
    });
}

/** `BillingStreet` of `BillingAddress` is `Street`; `Place__Latitude__s` of `Place__c` is `Latitude`; of `Name` all are themselves. */
function partName(compound: string, column: string): string {
  const custom = /__(\w+)__s$/.exec(column);
  if (custom) return custom[1]!;
  const prefix = compound.endsWith('Address') ? compound.slice(0, -'Address'.length) : '';
  return column.startsWith(prefix) ? column.slice(prefix.length) : column;
}

function compoundAvro(type: CompoundType, parts: readonly PartPlan[], defined: Set<string>): AvroType {
  const known = defined.has(type);
  defined.add(type);
  const record: AvroType = known
    ? type
    : { type: 'record', name: type, fields: parts.map(({ name, form }) => part(name, form.avro as 'string' | 'double')) };
  return type === 'Switchable_PersonName' ? ['string', record] : record;
}

const docs: Partial<Record<FieldDescribe['type'], string>> = {
  phone: 'Phone',
  email: 'Email',
  url: 'Url',
  multipicklist: 'MultiEnum',
  boolean: 'Boolean',
  int: 'Integer',
  double: 'Double',
  currency: 'Currency',
  percent: 'Percent',
  date: 'DateOnly',
  datetime: 'DateTime',
  time: 'TimeOnly',
  encryptedstring: 'EncryptedText',
};

/** As in the recorded schemas of an Account and a custom object. */
function docOf(field: FieldDescribe, type: CompoundType | undefined, fieldId: (field: FieldDescribe) => string): string {
  const suffix = field.custom ? `:${fieldId(field)}` : '';
  if (type) return `Data:${type}${suffix}`;
  if (field.name === 'CreatedDate') return 'CreatedDate:DateTime';
  if (field.type === 'reference') return `ForeignKey:EntityId${suffix}`;
  if (field.type === 'string' && field.relationshipName !== null) return `ExternalForeignKey:ExternalId${suffix}`;
  return `Data:${textDoc(field) ?? docs[field.type] ?? 'Text'}${suffix}`;
}

function textDoc(field: FieldDescribe): string | undefined {
  if (field.type === 'picklist') return field.restrictedPicklist && !field.custom ? 'StaticEnum' : 'DynamicEnum';
  if (field.type !== 'textarea' || field.length <= 255) return undefined;
  return field.htmlFormatted ? 'HtmlStringPlusClob' : 'StringPlusClob';
}

/** Stored values are equal when their text is: absent and null are the same. */
export const sameStored = (a: Stored | undefined, b: Stored | undefined): boolean => (a ?? null) === (b ?? null);
