import type { ObjectPermission } from './permission-set.ts';

/**
 * Objects without permissions of their own (Object Reference, "Special Access Rules" of each). Everybody reads what
 * describes the org; activities are everybody's; a line of an opportunity goes with the opportunity.
 */

const readable = { read: true };
const writable = { read: true, create: true, edit: true, delete: true };

/** What every user may do, whatever the permission sets say. A set that names the object decides instead. */
export const openObjects: Readonly<Record<string, Partial<ObjectPermission>>> = {
  Group: readable,
  Organization: readable,
  Profile: readable,
  RecordType: readable,
  User: readable,
  UserRole: readable,
  Event: writable,
  Task: writable,
};

/** Objects that follow the permissions of another. */
export const governedBy: Readonly<Record<string, string>> = {
  CampaignMember: 'Campaign',
  OpportunityContactRole: 'Opportunity',
  OpportunityLineItem: 'Opportunity',
  OrderItem: 'Order',
  PricebookEntry: 'Pricebook2',
};
