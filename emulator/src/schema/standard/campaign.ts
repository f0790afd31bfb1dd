import { declareObject } from '../declare.ts';
import {
  always,
  checkbox,
  currency,
  date,
  double,
  idLookup,
  int,
  isName,
  notNull,
  percent,
  picklist,
  readOnly,
  reference,
  required,
  text,
  textarea,
} from '../fields.ts';
import { audit, identity, lastActivity, owner, viewed } from '../system-fields.ts';

/** Counted by Salesforce over the campaign's members and opportunities. */
const total = { ...readOnly, ...notNull };

export const campaign = declareObject('Campaign', { label: 'Campaign', keyPrefix: '701', without: ['feedEnabled'] }, [
  ...identity('Campaign ID'),
  text('Name', 'Name', 80, required, isName, idLookup),
  reference('ParentId', 'Parent Campaign ID', 'Campaign', { children: 'ChildCampaigns' }),
  picklist(
    'Type',
    'Type',
    '*Conference|Webinar|Trade Show|Public Relations|Partners|Referral Program|Advertisement|Banner Ads|Direct Mail|Email|' +
      'Telemarketing|Other',
  ),
  picklist('Status', 'Status', '*Planned|In Progress|Completed|Aborted'),
  date('StartDate', 'Start Date'),
  date('EndDate', 'End Date'),
  currency('ExpectedRevenue', 'Expected Revenue in Campaign', 0),
  currency('BudgetedCost', 'Budgeted Cost in Campaign', 0),
  currency('ActualCost', 'Actual Cost in Campaign', 0),
  percent('ExpectedResponse', 'Expected Response (%)', 10, 2),
  double('NumberSent', 'Num Sent in Campaign', 18, 0),
  checkbox('IsActive', 'Active'),
  textarea('Description', 'Description', 32000),
  int('NumberOfLeads', 'Leads in Campaign', 9, total),
  int('NumberOfConvertedLeads', 'Converted Leads in Campaign', 9, total),
  int('NumberOfContacts', 'Contacts in Campaign', 9, total),
  int('NumberOfResponses', 'Responses in Campaign', 9, total),
  int('NumberOfOpportunities', 'Opportunities in Campaign', 9, total),
  int('NumberOfWonOpportunities', 'Won Opportunities in Campaign', 9, total),
  currency('AmountAllOpportunities', 'Value Opportunities in Campaign', 0, total),
  currency('AmountWonOpportunities', 'Value Won Opportunities in Campaign', 0, total),
  owner(),
  ...audit(),
  lastActivity(),
  ...viewed(),
  reference('CampaignMemberRecordTypeId', 'Record Type ID', 'RecordType', {}, always),
]);
