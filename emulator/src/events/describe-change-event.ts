import { describeBasic, describeObject } from '../schema/describe.ts';
import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';
import { isInEvents } from './change-event-schema.ts';
import { changeEventName, hasChangeEvents, objectOfChangeEvent } from './event-names.ts';

/**
 * Beside each object whose changes can be told stands one of its change events, which is described and never read
 * (recorded: describeGlobal, API 52; the fields of a describe are those of the event's schema).
 */
export function changeEventSummaries(schema: Schema, version: string): Record<string, unknown>[] {
  return schema.objects.filter(hasChangeEvents).map((object) => summary(object, schema, version));
}

/** `GET /sobjects/AccountChangeEvent`. */
export function describeChangeEventBasic(schema: Schema, eventName: string, version: string) {
  const object = objectOf(schema, eventName);
  return object && { objectDescribe: summary(object, schema, version), recentItems: [] };
}

/** `GET /sobjects/AccountChangeEvent/describe`. */
export function describeChangeEvent(schema: Schema, eventName: string, version: string): Record<string, unknown> | undefined {
  const object = objectOf(schema, eventName);
  if (!object) return undefined;
  const without = { compactLayoutable: false, searchLayoutable: false, recordTypeInfos: [], supportedScopes: [] };
  const fields = fieldsOf(object);
  const described = describeObject(schema, object.name, version);
  return { ...described, ...summary(object, schema, version), ...without, childRelationships: [], fields };
}

function objectOf(schema: Schema, eventName: string): ObjectDescribe | undefined {
  const object = schema.object(objectOfChangeEvent(eventName) ?? '');
  return object && hasChangeEvents(object) ? object : undefined;
}

function summary(object: ObjectDescribe, schema: Schema, version: string): Record<string, unknown> {
  const name = changeEventName(object.name);
  const base = `/services/data/${version}/sobjects/${name}`;
  const label = `${object.label} Change Event`;
  const entries = Object.entries(describeBasic(schema, object.name, version)!.objectDescribe);
  return {
    // What an object can do its events cannot.
    ...Object.fromEntries(entries.map(([key, value]) => [key, typeof value === 'boolean' ? false : value])),
    associateEntityType: 'ChangeEvent',
    associateParentEntity: object.name,
    keyPrefix: null,
    label,
    labelPlural: label,
    name,
    retrieveable: true,
    triggerable: true,
    urls: { rowTemplate: `${base}/{ID}`, eventSchema: `${base}/eventSchema`, describe: `${base}/describe`, sobject: base },
  };
}

const unused = {
  createable: false,
  updateable: false,
  filterable: false,
  sortable: false,
  groupable: false,
  aggregatable: false,
};

function fieldsOf(object: ObjectDescribe): Record<string, unknown>[] {
  const id = object.fields.find(({ type }) => type === 'id') as FieldDescribe;
  const own = (name: string, label: string, type: string, soapType: string, length: number) => ({
    ...{ ...id, ...unused, defaultedOnCreate: false, idLookup: false },
    ...{ name, label, type, soapType, length, byteLength: 3 * length, nillable: true },
  });
  return [
    { ...id, ...unused, idLookup: false },
    own('ReplayId', 'Replay ID', 'string', 'xsd:string', 1000),
    own('ChangeEventHeader', 'Change Event Header', 'complexvalue', 'urn:ChangeEventHeader', 0),
    ...object.fields.filter(isInEvents).map((field) => ({ ...field, ...unused })),
  ];
}
