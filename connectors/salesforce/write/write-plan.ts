import { ConfigError, type DeleteRule, type FieldType, type Problem, type TargetSpec } from '@tidemark/core';
import type { To } from '../config.ts';
import { fieldSchema } from '../dataset.ts';
import type { Describe, DescribeField } from '../describe.ts';
import { fieldGrant, objectGrant } from '../grants.ts';

export type Operation = 'upsert' | 'update' | 'insert';

/** One field of the rows, and where it goes. */
export interface WriteColumn {
  /** As rows spell it. */
  readonly name: string;
  /** As Salesforce spells it: `Email__c`, `Account.Code__c`. What a query selects and a CSV header names. */
  readonly path: string;
  /** Decides how values are written: of the field, or of the parent's external id. */
  readonly field: DescribeField;
  readonly type: FieldType;
  /** Of a lookup by the parent's external id: the relationship, and the field that holds the parent's Id. */
  readonly parent: { readonly relationship: string; readonly idField: string; readonly object: string } | null;
  /** Set when a record is made and never again. */
  readonly createOnly: boolean;
}

/** How rows become writes of one object: what `to:` says, held against what the org says. */
export interface WritePlan {
  readonly object: string;
  readonly operation: Operation;
  /** Field by which records are found, or which an insert sets; null for inserts whose key is no field of the object. */
  readonly key: DescribeField | null;
  /** Without the key. */
  readonly columns: readonly WriteColumn[];
  readonly deletes: DeleteRule;
  readonly warnings: readonly Pick<Problem, 'message' | 'hint'>[];
}

/** Hidden fields look as if there were none. */
const unseen = (object: string, field: string) =>
  `The name is spelled as in Setup, or the user lacks the permission to see it: ${fieldGrant(object, [field], 'editable')}`;

/** @throws {ConfigError} all that is in the way, each with its remedy. */
export async function planWrites(
  spec: TargetSpec<To>,
  describe: Describe,
  describeOther: (object: string) => Promise<Describe>,
): Promise<WritePlan> {
  const { to, schema, deletes } = spec;
  const problems: Problem[] = [];
  const warnings: Pick<Problem, 'message' | 'hint'>[] = [];
  const problem = (place: string, message: string, hint: string) =>
    problems.push({ place: `syncs.${spec.unit}.${place}`, message, hint, severity: 'error' });

  const object = describe.name;
  const fields = new Map(describe.fields.map((field) => [field.name.toLowerCase(), field]));
  const keyName = schema.key.length === 1 ? schema.key[0]! : null;
  const key = keyName === null ? undefined : fields.get(keyName.toLowerCase());
  const operation = to.operation ?? (key?.type === 'id' ? 'update' : 'upsert');
  if (operation !== 'insert') checkKey();

  const columns: WriteColumn[] = [];
  const written = new Map<string, string>();
  for (const field of schema.fields) {
    if (schema.key.includes(field.name)) continue;
    const column = await columnOf(field.name);
    if (column === null) continue;
    const sets = (column.parent?.idField ?? column.path).toLowerCase();
    const twin = written.get(sets);
    if (twin !== undefined)
      problem(`fields.${field.name}`, `sets the same field of ${object} as ${twin}`, 'Map only one of them');
    written.set(sets, field.name);
    columns.push(column);
  }
  if (operation !== 'update') checkRequired();
  checkOperation();
  if (problems.length > 0) throw new ConfigError(problems);
  const settable = key !== undefined && (operation !== 'insert' || key.createable);
  return { object, operation, key: settable ? key : null, columns, deletes, warnings };

  function checkKey(): void {
    if (to.key !== undefined && keyName !== null && to.key.toLowerCase() !== keyName.toLowerCase()) {
      problem(
        'to.key',
        `is ${to.key}, but what identifies a record is ${keyName}`,
        `Map what identifies a record in the source to ${to.key}`,
      );
      return;
    }
    const several = `Make one field of them: "= ${schema.key.join(" & '-' & ")}" in a step before`;
    if (keyName === null)
      return void problem('to.key', `${object} records are found by one field, not by ${schema.key.join(', ')}`, several);
    const uniques = describe.fields.filter((field) => field.externalId && field.unique).map(({ name }) => name);
    const choose =
      uniques.length > 0
        ? `Map what identifies a record to one of: ${uniques.join(', ')}`
        : `Add a text field to ${object}, marked as External ID and Unique, and map what identifies a record to it`;
    if (key === undefined)
      return void problem('to.key', `${object} has no field ${keyName}`, `${choose}. ${unseen(object, keyName)}`);
    if (key.type === 'id') {
      if (operation === 'upsert')
        problem(
          'to.operation',
          'upsert cannot create records under an Id of their own',
          `Write operation: update, or: ${choose}`,
        );
      return;
    }
    if (!key.externalId && !key.idLookup) problem('to.key', `${object}.${key.name} is no external id`, choose);
    else if (!key.unique)
      problem(
        'to.key',
        `${object}.${key.name} is not unique: one value may stand for several records`,
        `Mark it as Unique in Setup. ${choose}`,
      );
    else if (operation === 'upsert' && !key.createable)
      problem('to.key', `the user may not set ${object}.${key.name}`, `Let it: ${fieldGrant(object, [key.name], 'editable')}`);
  }

  async function columnOf(name: string): Promise<WriteColumn | null> {
    const place = `fields.${name}`;
    const [head, tail, ...more] = name.split('.');
    if (tail !== undefined) {
      if (more.length > 0) {
        problem(place, 'goes over more than one parent', "Write the external id of the record's own parent: Account.Code__c");
        return null;
      }
      return parentColumn(name, head!, tail);
    }
    const field = fields.get(name.toLowerCase());
    if (field === undefined) {
      problem(place, `${object} has no field ${name}`, `${likeness(describe, name)}. ${unseen(object, name)}`);
      return null;
    }
    if (fieldSchema(field) === null) {
      problem(
        place,
        `${object}.${field.name} is of type ${field.type}, which cannot be written as one value`,
        'Map its parts, or leave it out',
      );
      return null;
    }
    const access = accessProblem(field);
    if (access === null) return column(name, field);
    problem(place, ...access);
    return null;
  }

  function column(name: string, field: DescribeField): WriteColumn {
    return {
      name,
      path: field.name,
      field,
      type: fieldSchema(field)!.type,
      parent: null,
      createOnly: field.createable && !field.updateable,
    };
  }

  /** `Account.Code__c`, `Parent__r.Code__c`: the parent is named by its external id. */
  async function parentColumn(name: string, relationship: string, parentField: string): Promise<WriteColumn | null> {
    const place = `fields.${name}`;
    const lookup = describe.fields.find((field) => field.relationshipName?.toLowerCase() === relationship.toLowerCase());
    if (lookup === undefined) {
      const names = describe.fields.flatMap(({ relationshipName }) => relationshipName ?? []).join(', ');
      problem(
        place,
        `${object} has no relationship ${relationship}`,
        `Those it has: ${names}. ${unseen(object, relationship.replace(/__r$/i, '__c'))}`,
      );
      return null;
    }
    if (lookup.referenceTo.length !== 1) {
      problem(
        place,
        `${relationship} may be a record of several objects (${lookup.referenceTo.join(', ')})`,
        `Map an Id to ${lookup.name}`,
      );
      return null;
    }
    const parent = await describeOther(lookup.referenceTo[0]!);
    const field = parent.fields.find((candidate) => candidate.name.toLowerCase() === parentField.toLowerCase());
    if (field === undefined) {
      problem(
        place,
        `${parent.name} has no field ${parentField}`,
        `${likeness(parent, parentField)}. ${unseen(parent.name, parentField)}`,
      );
      return null;
    }
    if (!field.externalId && !field.idLookup) {
      problem(
        place,
        `${parent.name}.${field.name} is no external id`,
        `Name a parent by an external id, or map its Id to ${lookup.name}`,
      );
      return null;
    }
    const access = accessProblem(lookup);
    if (access !== null) {
      problem(place, ...access);
      return null;
    }
    return {
      name,
      path: `${lookup.relationshipName}.${field.name}`,
      field,
      type: fieldSchema(field)?.type ?? 'text',
      parent: { relationship: lookup.relationshipName!, idField: lookup.name, object: parent.name },
      createOnly: lookup.createable && !lookup.updateable,
    };
  }

  function accessProblem(field: DescribeField): [message: string, hint: string] | null {
    const name = `${object}.${field.name}`;
    if (field.calculated) return [`${name} is computed by Salesforce`, 'Leave it out of fields:'];
    const allowed = operation === 'update' ? field.updateable : field.createable;
    if (allowed) return null;
    const hint = `Leave it out, or let the user: ${fieldGrant(object, [field.name], 'editable')}; between two sides it may also flow the other way only (to:). Some fields only Salesforce itself writes`;
    return [`the user may not ${operation === 'update' ? 'change' : 'set'} ${name}`, hint];
  }

  function checkRequired(): void {
    const given = new Set([
      ...columns.map(({ parent, path }) => (parent?.idField ?? path).toLowerCase()),
      keyName?.toLowerCase(),
    ]);
    const missing = describe.fields.filter(
      (field) => field.createable && !field.nillable && !field.defaultedOnCreate && !given.has(field.name.toLowerCase()),
    );
    for (const { name } of missing) {
      problem(
        'fields',
        `${object}.${name} is required for new records, and nothing is mapped to it`,
        `Map a field or an expression to ${name}, or write operation: update`,
      );
    }
  }

  function checkOperation(): void {
    if (operation !== 'update' && !describe.createable)
      problem(
        'to.object',
        `the user may not create ${object} records`,
        `Let it: ${objectGrant(object, 'allowRead', 'allowCreate')}; or write operation: update`,
      );
    if (operation !== 'insert' && !describe.updateable)
      problem('to.object', `the user may not edit ${object} records`, `Let it: ${objectGrant(object, 'allowRead', 'allowEdit')}`);
    if (deletes === 'mark')
      problem(
        'deletes',
        'mark has no place in Salesforce',
        'Write deletes: ignore or mirror; or map a checkbox of your own and let a step set it',
      );
    if (deletes === 'mirror' && operation === 'upsert' && !describe.deletable)
      problem(
        'deletes',
        `the user may not delete ${object} records`,
        `Let it: ${objectGrant(object, 'allowRead', 'allowEdit', 'allowDelete')}; or write deletes: ignore`,
      );
    if (operation === 'insert') {
      warnings.push({
        message: `each write makes a new ${object} record: after a crash or a lost reply some may be there twice`,
        hint: 'With an external id and operation: upsert every record is there once',
      });
    }
    if (operation !== 'upsert' && deletes === 'mirror') {
      warnings.push({
        message: `operation: ${operation} deletes no record: what goes in the source stays in ${object}`,
        hint: 'Write deletes: ignore to say so yourself',
      });
    }
  }
}

function likeness(object: Describe, name: string): string {
  const squeezed = (text: string) => text.toLowerCase().replace(/__c$|[_\s]/g, '');
  const alike = object.fields.find((field) => squeezed(field.name) === squeezed(name));
  return alike === undefined ? 'Leave it out of fields:, or add it in Setup' : `Did you mean ${alike.name}?`;
}
