import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles } from '../schema/source/load-source-folder.ts';
import { SourceFolderError, type SourceNote, SourceProblem } from '../schema/source/problems.ts';
import { type Element, parseMetadata } from '../schema/source/xml.ts';
import type { Schema } from '../schema/types.ts';
import type { FieldPermission, ObjectPermission, PermissionSet, SystemPermission, SystemPermissions } from './permission-set.ts';

export interface LoadedPermissionSets {
  /** By name; profiles among them, as a user's profile is a set as well. */
  sets: Map<string, PermissionSet>;
  /** What was left out, or is read differently from a real org. */
  notes: SourceNote[];
}

/** Names in the metadata of the permissions that this org knows. */
const systemNames: Readonly<Record<string, SystemPermission>> = {
  ApiEnabled: 'apiEnabled',
  ViewAllData: 'viewAllData',
  ModifyAllData: 'modifyAllData',
  BulkApiHardDelete: 'bulkApiHardDelete',
  ViewSetup: 'viewSetup',
  CustomizeApplication: 'customizeApplication',
};

const objectFlags: Readonly<Record<string, keyof ObjectPermission>> = {
  allowRead: 'read',
  allowCreate: 'create',
  allowEdit: 'edit',
  allowDelete: 'delete',
  viewAllRecords: 'viewAll',
  modifyAllRecords: 'modifyAll',
};

/**
 * Reads permission sets and profiles of a source folder, wherever in it they are (Metadata API Developer Guide,
 * "PermissionSet", "Profile").
 * @throws {SourceFolderError} names every wrong file.
 */
export function loadPermissionSets(schema: Schema, folder: string): LoadedPermissionSets {
  const sets = new Map<string, PermissionSet>();
  const notes: SourceNote[] = [];
  const problems: SourceNote[] = [];
  for (const file of listFiles(folder)) {
    const [, encoded, kind] = /([^/]+)\.(permissionset|profile)(?:-meta\.xml)?$/.exec(file) ?? [];
    if (encoded === undefined) continue;
    try {
      const root = kind === 'profile' ? 'Profile' : 'PermissionSet';
      const element = parseMetadata(file, readFileSync(join(folder, file), 'utf8'), root);
      sets.set(decodeName(encoded), readSet(schema, element, notes));
    } catch (error) {
      if (!(error instanceof SourceProblem)) throw error;
      problems.push(error.note);
    }
  }
  if (problems.length > 0) throw new SourceFolderError(folder, problems);
  return { sets, notes };
}

/** Sets only grant: what the metadata says not to grant need not be said again. */
function readSet(schema: Schema, element: Element, notes: SourceNote[]): PermissionSet {
  const note = (path: string, message: string) => notes.push({ file: element.file, element: path, message });
  const objects: Record<string, Partial<ObjectPermission>> = {};
  for (const entry of element.children('objectPermissions')) {
    const name = entry.requiredText('object');
    const permission: Partial<ObjectPermission> = {};
    for (const [tag, flag] of Object.entries(objectFlags)) if (entry.boolean(tag)) permission[flag] = true;
    if (schema.object(name) || name.endsWith('__e')) objects[name] = permission;
    else note(entry.path, `names ${name}, which is not an object of this org: left out`);
  }
  const fields: Record<string, Partial<FieldPermission>> = {};
  for (const entry of element.children('fieldPermissions')) {
    const name = entry.requiredText('field');
    const [object = '', field = ''] = name.split('.');
    const described = schema.field(object, field);
    if (!described) note(entry.path, `names ${name}, which is not a field of this org: left out`);
    else if (!described.permissionable) note(entry.path, `names ${name}, which everybody sees who sees the object: left out`);
    else if (entry.boolean('editable')) fields[name] = { read: true, edit: true };
    else if (entry.boolean('readable')) fields[name] = { read: true };
  }
  const system: Partial<SystemPermissions> = {};
  for (const entry of element.children('userPermissions')) {
    const name = entry.requiredText('name');
    const known = Object.hasOwn(systemNames, name) ? systemNames[name] : undefined;
    if (known && entry.boolean('enabled')) system[known] = true;
  }
  return { objects, fields, system };
}

/** File names encode what they cannot hold: `Sales %26 Service`. */
function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
