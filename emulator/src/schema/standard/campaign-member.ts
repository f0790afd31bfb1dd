import { declareObject } from '../declare.ts';
import {
  always,
  checkbox,
  date,
  email,
  isName,
  phone,
  picklist,
  reference,
  required,
  system,
  text,
  textarea,
} from '../fields.ts';
import { audit, identity } from '../system-fields.ts';
import { salutations, sources } from './values.ts';

export const campaignMember = declareObject(
  'CampaignMember',
  { label: 'Campaign Member', keyPrefix: '00v', without: ['undeletable', 'searchable', 'feedEnabled', 'mruEnabled'] },
  [
    ...identity('Campaign Member ID'),
    reference('CampaignId', 'Campaign ID', 'Campaign', { children: 'CampaignMembers', onDelete: 'cascade' }, required, {
      updateable: false,
    }),
    reference('LeadId', 'Lead ID', 'Lead', { children: 'CampaignMembers', onDelete: 'cascade' }, always),
    reference('ContactId', 'Contact ID', 'Contact', { children: 'CampaignMembers', onDelete: 'cascade' }, always),
    picklist('Status', 'Status', 'Sent|Responded', always),
    checkbox('HasResponded', 'Responded', system),
    ...audit(),
    date('FirstRespondedDate', 'First Responded Date', system),
    // What follows is read through from the lead or contact.
    picklist('Salutation', 'Salutation', salutations, system),
    text('Name', 'Name', 121, system, isName),
    text('FirstName', 'First Name', 40, system),
    text('LastName', 'Last Name', 80, system),
    text('Title', 'Title', 128, system),
    textarea('Street', 'Street', 255, system),
    text('City', 'City', 40, system),
    text('State', 'State/Province', 80, system),
    text('PostalCode', 'Zip/Postal Code', 20, system),
    text('Country', 'Country', 80, system),
    email('Email', 'Email', system),
    phone('Phone', 'Phone', system),
    phone('Fax', 'Fax', system),
    phone('MobilePhone', 'Mobile', system),
    textarea('Description', 'Description', 32000, system),
    checkbox('DoNotCall', 'Do Not Call', system),
    checkbox('HasOptedOutOfEmail', 'Email Opt Out', system),
    checkbox('HasOptedOutOfFax', 'Fax Opt Out', system),
    picklist('LeadSource', 'Lead Source', sources, system),
    text('CompanyOrAccount', 'Company (Account)', 255, system),
    text('Type', 'Type', 40, system),
    reference('LeadOrContactId', 'Related Record ID', ['Contact', 'Lead'], {}, system),
    reference('LeadOrContactOwnerId', 'Related Record Owner ID', ['Group', 'User'], {}, system),
  ],
);
