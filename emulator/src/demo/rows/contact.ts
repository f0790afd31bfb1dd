import { contact } from '../../schema/standard/contact.ts';
import { description, digits, trapped } from '../texts.ts';
import { dayAround } from '../times.ts';
import { choices } from './choices.ts';
import { address, type MakeRow, maybe, ownership, person, region } from './source.ts';

const sources = choices(contact, 'LeadSource');
const levels = choices(contact, 'Level__c');
const titles = [
  'CEO',
  'VP, Sales',
  'Head of "Growth"',
  'Buyer',
  'Geschäftsführer',
  'Directrice générale',
  '部長',
  'Менеджер',
  'CTO & Co-founder',
];
const departments = ['Sales', 'Finance', 'R&D', 'Einkauf', 'IT / Operations', '経理部'];
const languages = ['English', 'English; Spanish', 'Deutsch, Français', '日本語', 'Русский'];

export const contactRow: MakeRow = (source, index) => {
  const { random, period, accountIds } = source;
  const from = region(random);
  const { salutation, firstName, lastName, email } = person(random, from, index);
  const mailing = address(random, 0.25, from);
  const owned = ownership(source);
  return {
    AccountId: accountIds.length === 0 || random.chance(0.05) ? null : random.pick(accountIds),
    LastName: lastName,
    FirstName: firstName,
    Salutation: salutation,
    MailingStreet: mailing.street,
    MailingCity: mailing.city,
    MailingState: mailing.state,
    MailingPostalCode: mailing.postalCode,
    MailingCountry: mailing.country,
    MailingLatitude: mailing.latitude,
    MailingLongitude: mailing.longitude,
    Phone: maybe(random, 0.15, () => digits(random, from.phone)),
    MobilePhone: maybe(random, 0.4, () => digits(random, from.phone)),
    Email: email,
    Title: maybe(random, 0.15, () => trapped(random, random.pick(titles), 128)),
    Department: maybe(random, 0.4, () => trapped(random, random.pick(departments), 80)),
    LeadSource: maybe(random, 0.3, () => random.pick(sources)),
    Birthdate: maybe(random, 0.5, () => dayAround(random, period.endMs, -90, -18)),
    Description: description(random),
    OwnerId: owned.OwnerId,
    CreatedDate: owned.CreatedDate,
    CreatedById: owned.CreatedById,
    LastModifiedDate: owned.LastModifiedDate,
    LastModifiedById: owned.LastModifiedById,
    SystemModstamp: owned.SystemModstamp,
    LastActivityDate: maybe(random, 0.6, () => dayAround(random, owned.createdMs, -0.2, 0)),
    Level__c: maybe(random, 0.4, () => random.pick(levels)),
    Languages__c: maybe(random, 0.5, () => random.pick(languages)),
  };
};
