import { ConfigError, type DatasetSchema, type FieldType, type Problem } from '@tidemark/core';
import { fieldSchema } from '../dataset.ts';
import type { Describe, DescribeField } from '../describe.ts';
import { objectGrant } from '../grants.ts';

/** One field of the rows, and the event's field that it becomes. */
export interface PublishColumn {
  /** As rows spell it. */
  readonly name: string;
  readonly field: DescribeField;
  readonly type: FieldType;
}

/**
 * Holds a mapping against the event.
 * @param place  of the sync, for messages
 * @throws {ConfigError} all that is in the way: no right to publish, fields that are not the event's or may not be set, required ones that lack
 */
export function planPublishing(event: Describe, { fields, key }: DatasetSchema, place: string): readonly PublishColumn[] {
  const problems: Problem[] = [];
  const problem = (at: string, message: string, hint: string) =>
    problems.push({ place: `${place}.${at}`, message, hint, severity: 'error' });
  if (!event.createable) {
    const grant = objectGrant(event.name, 'allowRead', 'allowCreate');
    problem('to', `the user may not publish ${event.name}`, `Give it the permission Create on the event: ${grant}`);
    // Of what may not be published no field can be set either.
    throw new ConfigError(problems);
  }
  const known = new Map(event.fields.map((field) => [field.name.toLowerCase(), field]));
  const settable = event.fields.filter((field) => field.createable);
  const columns: PublishColumn[] = [];
  const set = new Map<string, string>();
  for (const { name, spelled } of fields) {
    const field = known.get(name.toLowerCase());
    const schema = field === undefined ? null : fieldSchema(field);
    if (field?.createable && schema !== null) {
      const twin = set.get(field.name);
      if (twin !== undefined) problem(`fields.${name}`, `sets the same field as ${twin}`, 'Map only one of them');
      set.set(field.name, name);
      columns.push({ name, field, type: schema.type });
    } else if (!key.includes(name) || spelled) {
      // What identifies a record comes along unasked, and need not be published.
      const what =
        field === undefined ? `${event.name} has no field ${name}` : `${event.name}.${field.name} is set by Salesforce`;
      const names = settable.map((each) => each.name).join(', ');
      problem(
        `fields.${name}`,
        what,
        `Map in fields: what shall be published; the event takes: ${names || 'nothing that the user may set'}`,
      );
    }
  }
  for (const { name, nillable, defaultedOnCreate, type } of settable) {
    if (nillable || defaultedOnCreate || type === 'boolean' || set.has(name)) continue;
    problem('fields', `${event.name} requires ${name}`, `Map ${name}, or make it optional in Setup, Platform Events`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return columns;
}
