/**
 * What permission sets and profiles grant (Salesforce Help, "Permission Sets", "Object Permissions", "Field Permissions").
 * Grants add up over all the sets of a user; nothing takes away what another set gives.
 *
 * Sharing is not modelled: who may read an object sees all of its records.
 */
export interface ObjectPermission {
  read: boolean;
  create: boolean;
  edit: boolean;
  delete: boolean;
  viewAll: boolean;
  modifyAll: boolean;
}

export interface FieldPermission {
  read: boolean;
  edit: boolean;
}

export interface SystemPermissions {
  /** Without it no API answers. */
  apiEnabled: boolean;
  /** Reads every object, all records of it. */
  viewAllData: boolean;
  /** Reads, edits and deletes every record of every object. */
  modifyAllData: boolean;
  bulkApiHardDelete: boolean;
  /** "View Setup and Configuration" and "Customize Application": reading and writing channels through the Tooling API. */
  viewSetup: boolean;
  customizeApplication: boolean;
}

/** A permission set, or the profile of a user. Names are spelt as the schema spells them. */
export interface PermissionSet {
  /** By object name. */
  readonly objects?: Readonly<Record<string, Partial<ObjectPermission>>>;
  /** By `Account.Phone`. */
  readonly fields?: Readonly<Record<string, Partial<FieldPermission>>>;
  readonly system?: Partial<SystemPermissions>;
  /** For objects that are not named. Nothing, when absent. */
  readonly otherObjects?: Partial<ObjectPermission>;
  /** For fields that are not named. Nothing, when absent. */
  readonly otherFields?: Partial<FieldPermission>;
}

export type SystemPermission = keyof SystemPermissions;
export const systemPermissions: readonly SystemPermission[] = [
  'apiEnabled',
  'viewAllData',
  'modifyAllData',
  'bulkApiHardDelete',
  'viewSetup',
  'customizeApplication',
];

export const noObject: ObjectPermission = {
  read: false,
  create: false,
  edit: false,
  delete: false,
  viewAll: false,
  modifyAll: false,
};
export const wholeObject: ObjectPermission = {
  read: true,
  create: true,
  edit: true,
  delete: true,
  viewAll: true,
  modifyAll: true,
};
export const noField: FieldPermission = { read: false, edit: false };
export const wholeField: FieldPermission = { read: true, edit: true };

/** What each permission needs beside itself, as the boxes in Setup tick one another. */
const needs: Record<keyof ObjectPermission, readonly (keyof ObjectPermission)[]> = {
  read: [],
  create: ['read'],
  edit: ['read'],
  delete: ['read', 'edit'],
  viewAll: ['read'],
  modifyAll: ['read', 'edit', 'delete', 'viewAll'],
};
const flags = Object.keys(needs) as (keyof ObjectPermission)[];

/**
 * `changes` on top of `base`, made consistent: what is granted brings what it needs, what is taken away takes along what
 * needs it. Where the changes contradict themselves, taking away wins.
 */
export function changeObject(base: ObjectPermission, changes: Partial<ObjectPermission>): ObjectPermission {
  const next = { ...base };
  for (const flag of flags) if (changes[flag]) for (const name of [flag, ...needs[flag]]) next[name] = true;
  for (const flag of flags) if (changes[flag] === false) for (const name of [flag, ...neededBy(flag)]) next[name] = false;
  return next;
}

const neededBy = (flag: keyof ObjectPermission) => flags.filter((other) => needs[other].includes(flag));

export function changeField(base: FieldPermission, changes: Partial<FieldPermission>): FieldPermission {
  const read = changes.read ?? (changes.edit || base.read);
  return { read, edit: read && (changes.edit ?? base.edit) };
}

export function unionOfObjects(permissions: readonly ObjectPermission[]): ObjectPermission {
  const union = { ...noObject };
  for (const permission of permissions) for (const flag of flags) union[flag] ||= permission[flag];
  return union;
}

export function unionOfFields(permissions: readonly FieldPermission[]): FieldPermission {
  return { read: permissions.some(({ read }) => read), edit: permissions.some(({ edit }) => edit) };
}
