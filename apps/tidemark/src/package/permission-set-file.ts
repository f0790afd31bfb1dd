import type { Grants } from './grants.ts';
import { component } from './xml.ts';

/** A permission set over everything that syncs touch (Metadata API Developer Guide, "PermissionSet"). */
export function permissionSetFile(
  {
    label,
    description,
    users = [],
  }: { readonly label: string; readonly description: string; readonly users?: readonly string[] },
  { objects, fields }: Grants,
): string {
  return component('PermissionSet', {
    description,
    fieldPermissions: fields.map(([field, editable]) => ({ editable, field, readable: true })),
    hasActivationRequired: false,
    label,
    objectPermissions: objects.map(([object, { create, edit, delete: remove, viewAll }]) => ({
      ...{ allowCreate: create, allowDelete: remove, allowEdit: edit, allowRead: true },
      ...{ modifyAllRecords: false, object, viewAllRecords: viewAll },
    })),
    userPermissions: users.map((name) => ({ enabled: true, name })),
  });
}
