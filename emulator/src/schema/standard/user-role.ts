import { declareObject } from '../declare.ts';
import { always, checkbox, isName, picklist, reference, required, restricted, system, text } from '../fields.ts';
import { audit, idField } from '../system-fields.ts';

const accessLevels = 'None|Read|Edit';

export const userRole = declareObject(
  'UserRole',
  {
    label: 'Role',
    plural: 'Role',
    keyPrefix: '00E',
    without: ['undeletable', 'layoutable', 'triggerable', 'feedEnabled', 'mruEnabled'],
  },
  [
    idField('Role ID'),
    text('Name', 'Name', 80, required, isName),
    reference('ParentRoleId', 'Parent Role ID', 'UserRole', {}, always, { relationshipName: null }),
    text('RollupDescription', 'Description', 80, always),
    picklist(
      'OpportunityAccessForAccountOwner',
      'Opportunity Access Level for Account Owner',
      accessLevels,
      required,
      restricted,
    ),
    picklist('CaseAccessForAccountOwner', 'Case Access Level for Account Owner', accessLevels, always, restricted),
    picklist('ContactAccessForAccountOwner', 'Contact Access Level for Account Owner', accessLevels, always, restricted),
    reference('ForecastUserId', 'User ID', 'User', {}, always, { relationshipName: null }),
    checkbox('MayForecastManagerShare', 'May Forecast Manager Share', system),
    // No creation is kept for roles.
    ...audit().filter(({ describe }) => !describe.name.startsWith('Created')),
    text('DeveloperName', 'Developer Name', 80, always),
    reference('PortalAccountId', 'Account ID', 'Account', {}, always, { updateable: false, relationshipName: null }),
    picklist('PortalType', 'Portal Type', '*None|CustomerPortal=Customer Portal|Partner', always, restricted, {
      updateable: false,
    }),
    reference('PortalAccountOwnerId', 'User ID', 'User', {}, system, { relationshipName: null }),
  ],
);
