import { declareObject } from '../declare.ts';
import { always, checkbox, isName, picklist, reference, required, restricted, system, text } from '../fields.ts';
import { audit, idField } from '../system-fields.ts';

const recordTyped = 'Account|Asset|Campaign|CampaignMember|Case|Contact|Event|Lead|Opportunity|Order|Pricebook2|Product2|Task';

export const recordType = declareObject(
  'RecordType',
  {
    label: 'Record Type',
    keyPrefix: '012',
    without: ['deletable', 'undeletable', 'searchable', 'layoutable', 'triggerable', 'feedEnabled', 'mruEnabled'],
  },
  [
    idField('Record Type ID'),
    text('Name', 'Name', 80, required, isName),
    text('DeveloperName', 'Record Type Name', 80, required),
    text('NamespacePrefix', 'Namespace Prefix', 15, system),
    text('Description', 'Description', 255, always),
    reference('BusinessProcessId', 'Business Process ID', 'BusinessProcess', {}, always, { relationshipName: null }),
    picklist('SobjectType', 'SObject Type Name', recordTyped, required, restricted, { updateable: false }),
    checkbox('IsActive', 'Active', always),
    ...audit(),
  ],
);
