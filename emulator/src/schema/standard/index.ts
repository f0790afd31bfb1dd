import type { ObjectDeclaration } from '../declare.ts';
import { account } from './account.ts';
import { asset } from './asset.ts';
import { campaign } from './campaign.ts';
import { campaignMember } from './campaign-member.ts';
import { caseObject } from './case.ts';
import { contact } from './contact.ts';
import { event } from './event.ts';
import { group } from './group.ts';
import { lead } from './lead.ts';
import { opportunity } from './opportunity.ts';
import { opportunityContactRole } from './opportunity-contact-role.ts';
import { opportunityLineItem } from './opportunity-line-item.ts';
import { order } from './order.ts';
import { orderItem } from './order-item.ts';
import { organization } from './organization.ts';
import { pricebookEntry } from './pricebook-entry.ts';
import { pricebook2 } from './pricebook2.ts';
import { product2 } from './product2.ts';
import { profile } from './profile.ts';
import { recordType } from './record-type.ts';
import { task } from './task.ts';
import { user } from './user.ts';
import { userRole } from './user-role.ts';

/** The objects of a new org, as a Developer Edition has them. */
export const standardObjects: readonly ObjectDeclaration[] = [
  account,
  asset,
  campaign,
  campaignMember,
  caseObject,
  contact,
  event,
  group,
  lead,
  opportunity,
  opportunityContactRole,
  opportunityLineItem,
  order,
  orderItem,
  organization,
  pricebook2,
  pricebookEntry,
  product2,
  profile,
  recordType,
  task,
  user,
  userRole,
];

/** Objects that a real org has and that fields here refer to; this org does not hold them. */
export const notEmulated: ReadonlySet<string> = new Set([
  'BusinessProcess',
  'CallCenter',
  'Calendar',
  'Contract',
  'DandBCompany',
  'ExternalDataSource',
  'Individual',
  'OperatingHours',
  'OpportunityHistory',
  'Solution',
  'UserLicense',
]);
