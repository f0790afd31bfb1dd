import { declareObject } from '../declare.ts';
import { always, checkbox, picklist, reference, required } from '../fields.ts';
import { audit, idField, isDeleted } from '../system-fields.ts';

export const opportunityContactRole = declareObject(
  'OpportunityContactRole',
  {
    label: 'Opportunity Contact Role',
    plural: 'Opportunity Contact Role',
    keyPrefix: '00K',
    without: ['undeletable', 'searchable', 'feedEnabled', 'mruEnabled'],
  },
  [
    idField('Contact Role ID'),
    reference(
      'OpportunityId',
      'Opportunity ID',
      'Opportunity',
      { children: 'OpportunityContactRoles', onDelete: 'cascade' },
      required,
      { updateable: false },
    ),
    reference('ContactId', 'Contact ID', 'Contact', { children: 'OpportunityContactRoles', onDelete: 'cascade' }, required),
    picklist(
      'Role',
      'Role',
      'Business User|Decision Maker|Economic Buyer|Economic Decision Maker|Evaluator|Executive Sponsor|Influencer|' +
        'Technical Buyer|Other',
    ),
    checkbox('IsPrimary', 'Primary', always),
    ...audit(),
    isDeleted(),
  ],
);
