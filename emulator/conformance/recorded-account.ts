import type { AvroField, AvroRecord, AvroType } from '../src/events/avro-schema.ts';
import type { ObjectDeclaration } from '../src/schema/declare.ts';
import { type Changes, field } from '../src/schema/fields.ts';
import { standardObjects } from '../src/schema/standard/index.ts';
import type { FieldDescribe, FieldType } from '../src/schema/types.ts';

/** What a `doc` begins with, and the fields that have it. */
const kinds: Readonly<Record<string, readonly [FieldType, Changes?]>> = {
  'Data:Text': ['string', { length: 255 }],
  'Data:Phone': ['phone', { length: 40 }],
  'Data:Email': ['email', { length: 80 }],
  'Data:Url': ['url', { length: 255 }],
  'Data:DynamicEnum': ['picklist', { length: 255 }],
  'Data:StaticEnum': ['picklist', { length: 255, restrictedPicklist: true }],
  'Data:MultiEnum': ['multipicklist', { length: 4099 }],
  'Data:Boolean': ['boolean'],
  'Data:Integer': ['int', { digits: 9 }],
  'Data:Double': ['double', { precision: 18, scale: 2 }],
  'Data:Currency': ['currency', { precision: 18, scale: 2 }],
  'Data:Percent': ['percent', { precision: 18, scale: 2 }],
  'Data:DateOnly': ['date'],
  'Data:Birthday': ['date'],
  'Data:DateTime': ['datetime'],
  'Data:TimeOnly': ['time'],
  'Data:EncryptedText': ['encryptedstring', { length: 175 }],
  'Data:HtmlStringPlusClob': ['textarea', { length: 32_768, htmlFormatted: true }],
  'Data:StringPlusClob': ['textarea', { length: 32_000 }],
  'Data:Address': ['address'],
  'Data:Location': ['location'],
  'ForeignKey:EntityId': ['reference'],
};

/**
 * The standard objects, with one that has the fields of a recorded event schema, in its order: what describe would have
 * told of it in the org of the recording. Fields that the emulator has keep its own describe.
 */
export function objectsAsIn(name: string, recorded: AvroRecord, known?: ObjectDeclaration): ObjectDeclaration[] {
  const own = known ?? standardObjects.find(({ object }) => object.name === name)!;
  const fields = recorded.fields.slice(1).flatMap((avro) => {
    const column = own.object.fields.find((each) => each.name === avro.name) ?? describe(avro);
    const parts = partsOf(recorded, avro).map((part) => partColumn(column, part, own.object.fields));
    return [column, ...parts.filter((part) => part !== undefined)];
  });
  const told = new Set(fields.map((each) => each.name));
  const inEvents = (each: FieldDescribe) => !each.custom && !told.has(each.name) && !each.compoundFieldName;
  const hidden = own.object.fields.filter((each) => inEvents(each) && neverTold.has(each.name));
  const declared = { links: own.links, object: { ...own.object, name, fields: [...hidden, ...fields] } };
  return [...standardObjects.filter(({ object }) => object.name !== name), declared];
}

/** The row's own, of which no recorded event tells. */
const neverTold = new Set(['Id', 'IsDeleted', 'SystemModstamp', 'MasterRecordId']);

function describe({ name, doc = '' }: AvroField): FieldDescribe {
  const [kind, value] = doc.split(':').slice(0, 2);
  const [type, changes] = kinds[`${kind}:${value}`] ?? [];
  if (type === undefined) throw new Error(`${name}: no field is known to have the doc ${doc}`);
  return field(name, name, type, { custom: /__p?c$/.test(name), ...changes }).describe;
}

/** Names of a compound field's parts. */
function partsOf(recorded: AvroRecord, avro: AvroField): string[] {
  const records = recorded.fields.flatMap(({ type }) => type as AvroType[]);
  const own = (avro.type as AvroType[]).at(-1);
  const isRecord = (type: AvroType): type is AvroRecord => (type as { type?: string }).type === 'record';
  const record = records.find((type) => isRecord(type) && (type === own || type.name === own)) as AvroRecord | undefined;
  return avro.name === 'ChangeEventHeader' ? [] : (record?.fields.map(({ name }) => name) ?? []);
}

function partColumn(compound: FieldDescribe, part: string, known: readonly FieldDescribe[]): FieldDescribe | undefined {
  // Those of `Name` are for persons, and `Xyz` is nothing that describe knows.
  if (compound.name === 'Name' || part.startsWith('Xyz')) return undefined;
  const custom = compound.name.replace(/__c$/, `__${part}__s`);
  const prefix = compound.type === 'address' ? compound.name.slice(0, -'Address'.length) : '';
  const name = compound.type === 'location' ? custom : `${prefix}${part}`;
  const own = known.find((each) => each.name === name);
  const isNumber = part === 'Latitude' || part === 'Longitude';
  const numeric = { precision: 18, scale: 15 };
  const changes = { compoundFieldName: compound.name, custom: compound.custom };
  return own ?? field(name, name, isNumber ? 'double' : 'string', changes, isNumber ? numeric : { length: 80 }).describe;
}
