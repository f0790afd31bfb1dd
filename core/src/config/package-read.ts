import { eventFieldTypes } from '../model/object-definition.ts';
import type { FlowValue, PackageConfig, PackageEvent, PackageFlow, PackageObject } from './package-config.ts';
import { type PackageInput, packageSchema } from './package-schema.ts';
import type { Report } from './report.ts';

/** `package`, checked; null when something about it is wrong, and then it is in the report. Absent, it is what syncs alone tell. */
export function readPackage(block: unknown, declared: readonly string[], report: Report): PackageConfig | null {
  const input = report.parse(packageSchema, block ?? {}, ['package'])?.data;
  if (input === undefined) return null;
  const { name, namespace, connection, objects = {}, events = {}, flows = {}, notes } = input;
  if (connection !== undefined && !declared.includes(connection)) {
    report.unknown(['package', 'connection'], 'there is no connection of this name', connection, declared);
  }
  for (const [event, { fields = {} }] of Object.entries(events)) {
    for (const [field, { type }] of Object.entries(fields)) {
      if (eventFieldTypes.includes(type)) continue;
      const hint = `take one of: ${eventFieldTypes.join(', ')}`;
      report.error(['package', 'events', event, 'fields', field], `is of type ${type}, which no event has`, hint);
    }
  }
  return {
    name,
    namespace: namespace ?? null,
    connection: connection ?? null,
    objects: new Map(Object.entries(objects).map(([object, each]) => [object, objectOf(each)])),
    events: new Map(
      Object.entries(events).map(([event, each]): [string, PackageEvent] => [
        event,
        { ...objectOf(each), publish: each.publish },
      ]),
    ),
    flows: new Map(Object.entries(flows).map(([flow, each]) => [flow, flowOf(each)])),
    notes: notes ?? null,
  };
}

function objectOf({ label, plural, fields = {} }: NonNullable<PackageInput['objects']>[string]): PackageObject {
  return { label: label ?? null, plural: plural ?? null, fields: new Map(Object.entries(fields)) };
}

function flowOf({ label, object, on, when, publish, fields, active }: NonNullable<PackageInput['flows']>[string]): PackageFlow {
  const values = Object.entries(fields).map(([field, text]): [string, FlowValue] => [
    field,
    text.trimStart().startsWith('=')
      ? { kind: 'formula', formula: text.trim().slice(1).trim() }
      : { kind: 'field', field: text.trim() },
  ]);
  return { ...{ label: label ?? null, object, on, when: when ?? null, event: publish }, fields: new Map(values), active };
}
