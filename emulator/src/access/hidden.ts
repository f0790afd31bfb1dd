import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';
import { fieldNamed, objectNamed } from './change-set.ts';

/**
 * What is withheld from the API user, the one that an emulator starts with, in one word: no profile needs to be spelt
 * out to try what a client does about a missing field. The org keeps the data; it is back when shown again.
 */
export interface Permissions {
  hide(object: string, field?: string): void;
  show(object: string, field?: string): void;
  hides(object: string): boolean;
  list(): { object: string; field?: string }[];
}

export interface Hidden {
  readonly permissions: Permissions;
  hidesObject(object: ObjectDescribe): boolean;
  hidesField(object: ObjectDescribe, field: FieldDescribe): boolean;
}

export function createHidden(schema: Schema, changed: () => void): Hidden {
  const objects = new Set<string>();
  const fields = new Map<string, { object: string; field: string }>();
  const keyOf = (object: string, field: string) => `${object}.${field}`;
  const named = (object: string, field: string) => {
    const found = fieldNamed(schema, `${object}.${field}`);
    if (found.field.type === 'id') throw new TypeError('Id cannot be hidden');
    return { object: found.object.name, field: found.field.name };
  };
  return {
    hidesObject: (object) => objects.has(object.name),
    hidesField: (object, field) => {
      if (fields.has(keyOf(object.name, field.name))) return true;
      // The parts of a hidden address would tell it.
      const { compoundFieldName: whole } = field;
      const compound = whole === null || whole === 'Name' ? undefined : whole;
      return compound !== undefined && fields.has(keyOf(object.name, compound));
    },
    permissions: {
      hide(object, field) {
        if (field === undefined) objects.add(objectNamed(schema, object).name);
        else {
          const entry = named(object, field);
          fields.set(keyOf(entry.object, entry.field), entry);
        }
        changed();
      },
      show(object, field) {
        if (field === undefined) objects.delete(objectNamed(schema, object).name);
        else {
          const entry = named(object, field);
          fields.delete(keyOf(entry.object, entry.field));
        }
        changed();
      },
      hides: (object) => objects.has(schema.object(object)?.name ?? ''),
      list: () => [...[...objects].map((object) => ({ object })), ...fields.values()],
    },
  };
}
