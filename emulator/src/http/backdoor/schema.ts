import { declareObject } from '../../schema/declare.ts';
import { type Changes, type FieldDeclaration, field, isName, text } from '../../schema/fields.ts';
import { nextCustomKeyPrefix } from '../../schema/source/custom-object.ts';
import { audit, identity, owner } from '../../schema/system-fields.ts';
import type { FieldType } from '../../schema/types.ts';
import type { EmulatorContext } from '../context.ts';
import type { BackdoorRequest, BackdoorRoute } from './backdoor.ts';
import { readList, readText } from './read.ts';

export const schemaRoutes: readonly BackdoorRoute[] = [
  { method: 'POST', path: '/schema/objects', answer: addObject },
  { method: 'POST', path: '/schema/fields', answer: addFields },
  {
    method: 'DELETE',
    path: '/schema/fields/:object/:field',
    answer({ params }, { org }) {
      if (!org.schema.field(params.object as string, params.field as string)) throw new TypeError('there is no such field');
      org.schema.removeField(params.object as string, params.field as string);
    },
  },
];

/** A custom object with the fields that every one has, a text `Name`, and those given. */
function addObject({ body }: BackdoorRequest, { org: { schema } }: EmulatorContext): unknown {
  const name = readText(body, 'name');
  if (!/^\w+__c$/.test(name)) throw new TypeError(`a custom object's name ends with __c: '${name}'`);
  if (schema.object(name)) throw new TypeError(`there is an object '${name}' already`);
  const label = body.label === undefined ? name.replace(/__c$/, '').replaceAll('_', ' ') : readText(body, 'label');
  const keyPrefix = nextCustomKeyPrefix(schema);
  const fields = body.fields === undefined ? [] : readList(body, 'fields').map(readField);
  const { object, links } = declareObject(name, { label, keyPrefix, custom: true }, [
    ...identity('Record ID'),
    owner(['Group', 'User']),
    text('Name', `${label} Name`, 80, isName, { idLookup: true }),
    ...audit(),
    ...fields,
  ]);
  schema.add(object, links);
  return { name, keyPrefix };
}

/** `{"object": "Contact", "fields": [{"name": "Score__c", "type": "double", "precision": 18, "scale": 2}]}` */
function addFields({ body }: BackdoorRequest, { org: { schema } }: EmulatorContext): unknown {
  const object = schema.object(readText(body, 'object'));
  if (!object) throw new TypeError(`there is no object '${body.object}'`);
  const fields = readList(body, 'fields').map(readField);
  schema.add({ ...object, fields: fields.map((declared) => declared.describe) });
  return { added: fields.map((declared) => declared.describe.name) };
}

const textTypes: readonly string[] = ['string', 'textarea', 'picklist', 'multipicklist', 'combobox', 'encryptedstring'];

/** `name` and `type`, and any attribute of a describe that shall differ from what the type brings. */
function readField(value: unknown): FieldDeclaration {
  if (value === null || typeof value !== 'object') throw new TypeError('each field must be an object');
  const fields = value as Record<string, unknown>;
  const { name: _name, type: _type, label: _label, ...attributes } = fields;
  const name = readText(fields, 'name');
  const type = readText(fields, 'type');
  const length = textTypes.includes(type) ? { length: 255, byteLength: 765 } : {};
  const label = fields.label === undefined ? name.replace(/__c$/, '').replaceAll('_', ' ') : readText(fields, 'label');
  const declared = field(name, label, type as FieldType, length, { custom: /__c$/i.test(name) }, attributes as Changes);
  if (declared.describe.soapType === undefined) throw new TypeError(`unknown field type '${type}'`);
  return declared;
}
