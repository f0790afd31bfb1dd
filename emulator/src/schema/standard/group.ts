import { declareObject } from '../declare.ts';
import { always, checkbox, email, isName, notNull, picklist, reference, required, restricted, system, text } from '../fields.ts';
import { audit, idField } from '../system-fields.ts';

const groupTypes =
  '*Regular=Public Group|Role|RoleAndSubordinates=Role and Subordinates|Organization|Case|Lead|Queue|Manager|' +
  'ManagerAndSubordinatesInternal=Managers Group';

export const group = declareObject(
  'Group',
  { label: 'Group', keyPrefix: '00G', without: ['undeletable', 'layoutable', 'triggerable', 'feedEnabled', 'mruEnabled'] },
  [
    idField('Group ID'),
    text('Name', 'Name', 40, required, isName),
    text('DeveloperName', 'Developer Name', 80, always),
    reference('RelatedId', 'Related ID', ['User', 'UserRole'], {}, system),
    picklist('Type', 'Type', groupTypes, required, restricted, { updateable: false, defaultedOnCreate: true }),
    email('Email', 'Email', always, { length: 255, byteLength: 765 }),
    reference('OwnerId', 'Owner ID', ['Organization', 'User'], {}, system, notNull, { searchPrefilterable: false }),
    checkbox('DoesSendEmailToMembers', 'Send Email to Members', always),
    checkbox('DoesIncludeBosses', 'Include Bosses', always),
    ...audit(),
  ],
);
