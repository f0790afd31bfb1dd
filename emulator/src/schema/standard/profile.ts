import { declareObject } from '../declare.ts';
import { always, idLookup, isName, picklist, reference, required, restricted, system, text } from '../fields.ts';
import { audit, idField, viewed } from '../system-fields.ts';
import { userTypes } from './values.ts';

export const profile = declareObject(
  'Profile',
  {
    label: 'Profile',
    keyPrefix: '00e',
    without: ['undeletable', 'layoutable', 'triggerable', 'feedEnabled', 'mruEnabled', 'replicateable'],
  },
  [
    idField('Profile ID'),
    text('Name', 'Name', 255, required, isName, idLookup),
    reference('UserLicenseId', 'User License ID', 'UserLicense', {}, required, { updateable: false }),
    picklist('UserType', 'User Type', userTypes, system, restricted),
    ...audit(),
    text('Description', 'Description', 255, always),
    ...viewed(),
  ],
);
