import type { FieldDescribe, ObjectDescribe } from '../schema/types.ts';
import { governedBy, openObjects } from './open-objects.ts';
import {
  changeField,
  changeObject,
  type FieldPermission,
  noField,
  noObject,
  type ObjectPermission,
  type PermissionSet,
  type SystemPermission,
  unionOfFields,
  unionOfObjects,
  wholeField,
} from './permission-set.ts';

/** What a user may do, all the sets taken together. */
export interface Effective {
  object(name: string): ObjectPermission;
  field(object: ObjectDescribe, field: FieldDescribe): FieldPermission;
  may(permission: SystemPermission): boolean;
}

export function effectiveOf(profile: PermissionSet, assigned: readonly PermissionSet[]): Effective {
  const all = [profile, ...assigned];
  return {
    object: (name) => unionOfObjects(all.map((set) => objectIn(set, name, set === profile))),
    field: (object, field) => unionOfFields(all.map((set) => fieldIn(set, object, field))),
    may: (permission) => all.some((set) => set.system?.[permission] === true),
  };
}

/** What one set says of an object. */
export function objectIn(set: PermissionSet, name: string, isProfile: boolean): ObjectPermission {
  let base = changeObject(noObject, set.otherObjects ?? {});
  if (set.system?.viewAllData) base = changeObject(base, { viewAll: true });
  if (set.system?.modifyAllData) base = changeObject(base, { modifyAll: true });
  if (isProfile) base = changeObject(base, openObjects[name] ?? {});
  const named = set.objects?.[name] ?? set.objects?.[governedBy[name] ?? ''];
  return named ? changeObject(base, named) : base;
}

/** The parts of an address follow the address unless they are named themselves. */
export function fieldIn(set: PermissionSet, object: ObjectDescribe, field: FieldDescribe): FieldPermission {
  // Required and system fields have no permission of their own.
  if (!field.permissionable) return wholeField;
  const named = (name: string) => set.fields?.[`${object.name}.${name}`];
  const base = changeField(noField, set.otherFields ?? {});
  const own = named(field.name) ?? (field.compoundFieldName === null ? undefined : named(field.compoundFieldName));
  return own ? changeField(base, own) : base;
}
