import type { FieldDescribe, ObjectDescribe, Schema } from '../schema/types.ts';
import { fieldIn, objectIn } from './effective.ts';
import {
  changeField,
  changeObject,
  type FieldPermission,
  type ObjectPermission,
  type PermissionSet,
  systemPermissions,
} from './permission-set.ts';

/**
 * The set with these changes, each made consistent with what the set said before.
 * @throws {TypeError} when a name is not the schema's, or names a field that has no permission of its own.
 */
export function changeSet(schema: Schema, set: PermissionSet, changes: PermissionSet, isProfile: boolean): PermissionSet {
  refuseUnknown(changes, ['objects', 'fields', 'system', 'otherObjects', 'otherFields'], 'permission');
  const unknown = Object.keys(changes.system ?? {}).find((name) => !(systemPermissions as readonly string[]).includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no system permission '${unknown}'`);
  const next: PermissionSet = {
    ...set,
    ...(changes.otherObjects ? { otherObjects: changes.otherObjects } : {}),
    ...(changes.otherFields ? { otherFields: changes.otherFields } : {}),
    system: { ...set.system, ...changes.system },
  };
  const objects: Record<string, Partial<ObjectPermission>> = { ...set.objects };
  for (const [name, change] of Object.entries(changes.objects ?? {})) {
    refuseUnknown(change, ['read', 'create', 'edit', 'delete', 'viewAll', 'modifyAll'], 'object permission');
    const object = isPlatformEvent(name) ? name : objectNamed(schema, name).name;
    objects[object] = changeObject(objectIn(next, object, isProfile), change);
  }
  const fields: Record<string, Partial<FieldPermission>> = { ...set.fields };
  for (const [name, change] of Object.entries(changes.fields ?? {})) {
    refuseUnknown(change, ['read', 'edit'], 'field permission');
    const { object, field } = fieldNamed(schema, name);
    if (!field.permissionable) throw new TypeError(`'${name}' is seen by everybody who sees the object`);
    fields[`${object.name}.${field.name}`] = changeField(fieldIn(next, object, field), change);
  }
  return { ...next, objects, fields };
}

export function objectNamed(schema: Schema, name: string): ObjectDescribe {
  const object = schema.object(name);
  if (!object) throw new TypeError(`there is no object '${name}'`);
  return object;
}

/** Events have permissions as objects do; they are not in the schema. */
const isPlatformEvent = (name: string) => name.endsWith('__e');

/** `Account.Phone` */
export function fieldNamed(schema: Schema, path: string): { object: ObjectDescribe; field: FieldDescribe } {
  const [objectName = '', fieldName = ''] = path.split('.');
  const object = objectNamed(schema, objectName);
  const field = schema.field(objectName, fieldName);
  if (!field) throw new TypeError(`there is no field '${fieldName}' on '${objectName}'`);
  return { object, field };
}

function refuseUnknown(entry: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(entry).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no ${what} '${unknown}'`);
}
