import { deriveChildRelationships } from './child-relationships.ts';
import type { ChildLinks, ObjectDeclaration } from './declare.ts';
import { standardObjects } from './standard/index.ts';
import type { FieldDescribe, ObjectDescribe, Schema } from './types.ts';

interface Entry {
  object: ObjectDescribe;
  links: ChildLinks;
  /** By name as written and in lower case. */
  fields: Map<string, FieldDescribe>;
}

/** The schema of a Developer Edition org. `now` is the org's clock: it dates changes. */
export function createSchema(options: { now?: () => number; objects?: readonly ObjectDeclaration[] } = {}): Schema {
  const now = options.now ?? Date.now;
  const entries = new Map<string, Entry>();
  const listeners: ((object: ObjectDescribe) => void)[] = [];
  let objects: readonly ObjectDescribe[] = [];
  let byPrefix = new Map<string, ObjectDescribe>();
  let changedAtMs = now();

  const find = (name: string) => entries.get(name) ?? entries.get(name.toLowerCase());

  function put(object: ObjectDescribe, links: ChildLinks): void {
    const entry: Entry = { object, links, fields: new Map() };
    for (const field of object.fields) entry.fields.set(field.name.toLowerCase(), field).set(field.name, field);
    entries.set(object.name.toLowerCase(), entry).set(object.name, entry);
  }

  /** Objects are replaced, never altered: who holds one keeps what it saw. */
  function refresh(parents: ReadonlySet<string>): void {
    const all = distinct();
    for (const entry of all) {
      if (parents.has(entry.object.name)) {
        entry.object = { ...entry.object, childRelationships: deriveChildRelationships(entry.object.name, all) };
      }
    }
    objects = all.map((entry) => entry.object);
    byPrefix = new Map(objects.flatMap((object) => (object.keyPrefix === null ? [] : [[object.keyPrefix, object]])));
  }

  const distinct = () => [...new Set(entries.values())];

  function changed(name: string, before: ObjectDescribe | undefined): void {
    const after = find(name)!.object;
    refresh(new Set([name, ...targets(before), ...targets(after)]));
    changedAtMs = now();
    for (const listener of listeners) listener(find(name)!.object);
  }

  for (const { object, links } of options.objects ?? standardObjects) put(object, links);
  refresh(new Set(distinct().map((entry) => entry.object.name)));

  return {
    get objects() {
      return objects;
    },
    get changedAtMs() {
      return changedAtMs;
    },
    object: (name) => find(name)?.object,
    field(object, field) {
      const fields = find(object)?.fields;
      return fields?.get(field) ?? fields?.get(field.toLowerCase());
    },
    byKeyPrefix: (prefix) => byPrefix.get(prefix),
    add(object, links = {}) {
      const before = find(object.name);
      if (!before) {
        const twin = object.keyPrefix === null ? undefined : byPrefix.get(object.keyPrefix);
        if (twin) throw new Error(`${object.name} cannot have the key prefix ${object.keyPrefix}: ${twin.name} has it`);
        put(object, links);
        changed(object.name, undefined);
        return;
      }
      const merged = new Map(before.object.fields.map((field) => [field.name.toLowerCase(), field]));
      for (const field of object.fields) merged.set(field.name.toLowerCase(), field);
      put({ ...before.object, fields: [...merged.values()] }, { ...before.links, ...links });
      changed(before.object.name, before.object);
    },
    removeField(objectName, fieldName) {
      const before = find(objectName);
      const field = before?.fields.get(fieldName.toLowerCase());
      if (!before || !field) throw new Error(`${objectName} has no field ${fieldName}`);
      if (field.type === 'id') throw new Error(`${objectName}.${fieldName} cannot be removed: it identifies the records`);
      const fields = before.object.fields.filter((other) => other !== field);
      put({ ...before.object, fields }, before.links);
      changed(before.object.name, before.object);
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

function targets(object: ObjectDescribe | undefined): string[] {
  return object ? object.fields.flatMap((field) => field.referenceTo) : [];
}
