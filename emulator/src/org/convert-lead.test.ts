import { expect, test } from 'vitest';
import { createBusOrg, eventsOf, readEvent } from '../events/testing.ts';
import { evidence } from '../evidence.ts';
import { records, refusal } from './testing.ts';

// What becomes of a lead must arrive as one transaction, each record under its own name. (P6)

const guide = evidence('documented', 'SOAP API Developer Guide, convertLead(); Change Data Capture guide, Lead Conversion');

test(`a lead becomes an account, a contact and an opportunity, and is told of last ${guide}`, () => {
  const world = createBusOrg(['Account', 'Contact', 'Opportunity', 'Lead']);
  const { org } = world;
  const values = {
    Company: 'Acme',
    FirstName: 'Ann',
    LastName: 'Kent',
    City: 'Berlin',
    LeadSource: 'Web',
    Email: 'a@example.com',
  };
  const lead = org.write((t) => t.insert('Lead', values).id);
  const outcome = org.write((t) => t.convertLead(lead));
  expect(records(org, 'SELECT Id, Name, BillingCity, AccountSource FROM Account')).toMatchObject([
    { Id: outcome.accountId, Name: 'Acme', BillingCity: 'Berlin', AccountSource: 'Web' },
  ]);
  expect(records(org, 'SELECT Id, Name, Email, MailingCity, AccountId FROM Contact')).toMatchObject([
    { Id: outcome.contactId, Name: 'Ann Kent', Email: 'a@example.com', MailingCity: 'Berlin', AccountId: outcome.accountId },
  ]);
  expect(records(org, 'SELECT Id, Name, AccountId, CloseDate FROM Opportunity')).toMatchObject([
    { Id: outcome.opportunityId, Name: 'Acme-', AccountId: outcome.accountId, CloseDate: '2024-06-30' },
  ]);
  expect(records(org, 'SELECT IsConverted, ConvertedDate, ConvertedContactId FROM Lead')).toMatchObject([
    { IsConverted: true, ConvertedDate: '2024-05-22', ConvertedContactId: outcome.contactId },
  ]);
  const events = eventsOf(world, '/data/ChangeEvents')
    .map((event) => readEvent(world.bus, event))
    .slice(1);
  expect(new Set(events.map(({ header }) => header.transactionKey)).size).toBe(1);
  expect(events.map(({ header }) => [header.entityName, header.changeType, header.sequenceNumber])).toEqual([
    ['Account', 'CREATE', 1],
    ['Contact', 'CREATE', 2],
    ['Opportunity', 'CREATE', 3],
    ['Lead', 'UPDATE', 4],
  ]);
  expect(new Set(events[3]!.changed)).toEqual(
    new Set([
      ...['Status', 'IsConverted', 'ConvertedDate', 'ConvertedAccountId', 'ConvertedContactId', 'ConvertedOpportunityId'],
      'LastModifiedDate',
    ]),
  );
});

test(`into what is there, without an opportunity, and once only ${guide}`, () => {
  const { org } = createBusOrg();
  const lead = org.write((t) => t.insert('Lead', { Company: 'Acme', LastName: 'Kent' }).id);
  const accountId = org.write((t) => t.insert('Account', { Name: 'There' }).id);
  const outcome = org.write((t) => t.convertLead(lead, { accountId, opportunityName: null }));
  expect(outcome).toMatchObject({ id: lead, accountId, opportunityId: null });
  expect(records(org, 'SELECT Name FROM Account')).toHaveLength(1);
  expect(records(org, 'SELECT Id FROM Opportunity')).toEqual([]);
  expect(refusal(() => org.write((t) => t.convertLead(lead))).errorCode).toBe('CANNOT_UPDATE_CONVERTED_LEAD');
});

test(`what cannot be made leaves the lead as it was ${evidence('documented', 'SOAP API Developer Guide, convertLead(): all or nothing for a lead')}`, () => {
  const { org } = createBusOrg();
  const lead = org.write((t) => t.insert('Lead', { Company: 'Acme', LastName: 'Kent' }).id);
  expect(refusal(() => org.write((t) => t.convertLead(lead, { opportunityName: 'x'.repeat(121) }))).errorCode).toBe(
    'STRING_TOO_LONG',
  );
  expect(records(org, 'SELECT Id FROM Account')).toEqual([]);
  expect(records(org, 'SELECT IsConverted FROM Lead')).toMatchObject([{ IsConverted: false }]);
});
