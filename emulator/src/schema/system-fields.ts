import {
  always,
  checkbox,
  date,
  datetime,
  defaulted,
  type FieldDeclaration,
  field,
  notNull,
  reference,
  system,
} from './fields.ts';

/** The fields that Salesforce gives to (nearly) every object and fills itself. */

const stamp = { ...system, ...notNull, ...defaulted };
/** These references carry no `searchPrefilterable`. */
const plain = { searchPrefilterable: false };

export const idField = (label: string): FieldDeclaration => field('Id', label, 'id');
export const isDeleted = (): FieldDeclaration => checkbox('IsDeleted', 'Deleted', system);
/** `Id` and `IsDeleted`, which open most objects. */
export const identity = (label: string): FieldDeclaration[] => [idField(label), isDeleted()];

/** The record that survived a merge. */
export const masterRecord = (object: string): FieldDeclaration =>
  reference('MasterRecordId', 'Master Record ID', object, {}, system, plain);

/** `label` and `to` differ for objects that queues or calendars may own. */
export const owner = (to: string | readonly string[] = 'User', label = 'Owner ID'): FieldDeclaration =>
  reference('OwnerId', label, to, {}, always, notNull, defaulted, plain);

export const audit = (): FieldDeclaration[] => [
  datetime('CreatedDate', 'Created Date', stamp),
  reference('CreatedById', 'Created By ID', 'User', {}, stamp, plain),
  datetime('LastModifiedDate', 'Last Modified Date', stamp),
  reference('LastModifiedById', 'Last Modified By ID', 'User', {}, stamp, plain),
  datetime('SystemModstamp', 'System Modstamp', stamp),
];

export const lastActivity = (): FieldDeclaration => date('LastActivityDate', 'Last Activity', system);

/** Kept for each user who looks at the record. */
export const viewed = (): FieldDeclaration[] => [
  datetime('LastViewedDate', 'Last Viewed Date', system),
  datetime('LastReferencedDate', 'Last Referenced Date', system),
];
