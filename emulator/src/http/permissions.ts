import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';

/**
 * Field-level and object-level security as far as an integration user notices it: what the user may not see is absent
 * from describe, from queries and from writes, as if it did not exist (REST API Developer Guide, "sObject Describe").
 */
export interface Permissions {
  hide(object: string, field?: string): void;
  show(object: string, field?: string): void;
  hides(object: string): boolean;
  list(): { object: string; field?: string }[];
}

/** The schema as the API user sees it. The org keeps the data of what is hidden; it is back when shown again. */
export function withPermissions(schema: Schema, now: () => number): { schema: Schema; permissions: Permissions } {
  const hiddenObjects = new Set<string>();
  const hiddenFields = new Map<string, Set<string>>();
  /** One stable object per version of the original, so that whoever keys a cache by it is not fooled. */
  let views = new WeakMap<ObjectDescribe, ObjectDescribe>();
  const listeners: ((object: ObjectDescribe) => void)[] = [];
  let changedAtMs = 0;
  /** While the org takes over a change it sees hidden objects too, as ones that cannot be queried: it keeps their records. */
  let telling = false;

  const changed = (objectName: string) => {
    views = new WeakMap();
    changedAtMs = now();
    tell(schema.object(objectName) as ObjectDescribe);
  };
  const tell = (object: ObjectDescribe) => {
    telling = true;
    for (const listener of listeners) listener(see(object));
    telling = false;
  };
  const see = (object: ObjectDescribe): ObjectDescribe => {
    const hidden = hiddenFields.get(object.name);
    if (!hidden && hiddenObjects.size === 0) return object;
    const known = views.get(object);
    if (known) return known;
    const view: ObjectDescribe = {
      ...object,
      queryable: object.queryable && !hiddenObjects.has(object.name),
      fields: object.fields.filter((field) => !hidden?.has(field.name)),
      childRelationships: object.childRelationships.filter(({ childSObject }) => !hiddenObjects.has(childSObject)),
    };
    views.set(object, view);
    return view;
  };
  const visible = (object: ObjectDescribe | undefined) =>
    object && (telling || !hiddenObjects.has(object.name)) ? see(object) : undefined;
  const named = (object: string, field: string | undefined): { object: string; field: FieldDescribe | undefined } => {
    const found = schema.object(object);
    if (!found) throw new TypeError(`there is no object '${object}'`);
    const foundField = field === undefined ? undefined : schema.field(object, field);
    if (field !== undefined && !foundField) throw new TypeError(`there is no field '${field}' on '${object}'`);
    if (foundField?.type === 'id') throw new TypeError('Id cannot be hidden');
    return { object: found.name, field: foundField };
  };

  schema.onChange(tell);

  return {
    schema: {
      get objects() {
        return schema.objects.filter((object) => !hiddenObjects.has(object.name)).map(see);
      },
      get changedAtMs() {
        return Math.max(schema.changedAtMs, changedAtMs);
      },
      object: (name) => visible(schema.object(name)),
      field(object, field) {
        const found = visible(schema.object(object));
        if (!found) return undefined;
        const describe = schema.field(object, field);
        return describe && !hiddenFields.get(found.name)?.has(describe.name) ? describe : undefined;
      },
      byKeyPrefix: (prefix) => visible(schema.byKeyPrefix(prefix)),
      add: (object, links) => schema.add(object, links),
      removeField: (object, field) => schema.removeField(object, field),
      onChange: (listener) => {
        listeners.push(listener);
      },
    },
    permissions: {
      hide(object, field) {
        const found = named(object, field);
        if (!found.field) hiddenObjects.add(found.object);
        else hiddenFields.set(found.object, (hiddenFields.get(found.object) ?? new Set()).add(found.field.name));
        changed(found.object);
      },
      show(object, field) {
        const found = named(object, field);
        if (!found.field) hiddenObjects.delete(found.object);
        else hiddenFields.get(found.object)?.delete(found.field.name);
        changed(found.object);
      },
      hides: (object) => hiddenObjects.has(schema.object(object)?.name ?? ''),
      list: () => [
        ...[...hiddenObjects].map((object) => ({ object })),
        ...[...hiddenFields].flatMap(([object, fields]) => [...fields].map((field) => ({ object, field }))),
      ],
    },
  };
}
