import { lead } from '../../schema/standard/lead.ts';
import { description, digits, trapped } from '../texts.ts';
import { toDate } from '../times.ts';
import { choices } from './choices.ts';
import { address, company, type MakeRow, maybe, money, ownership, person, region } from './source.ts';

const statuses = choices(lead, 'Status').filter((status) => status !== 'Closed - Converted');
const sources = choices(lead, 'LeadSource');
const industries = choices(lead, 'Industry');
const ratings = choices(lead, 'Rating');
const products = choices(lead, 'ProductInterest__c');

export const leadRow: MakeRow = (source, index) => {
  const { random, accountIds } = source;
  const from = region(random);
  const { salutation, firstName, lastName, email } = person(random, from, index);
  const at = address(random, 0.3, from);
  const owned = ownership(source);
  // A converted lead became an account.
  const convertedTo = accountIds.length > 0 && random.chance(0.06) ? random.pick(accountIds) : null;
  const revenue = money(random, 10_000, 50_000_000);
  return {
    LastName: lastName,
    FirstName: firstName,
    Salutation: salutation,
    Title: maybe(random, 0.3, () => trapped(random, random.pick(['Owner', 'Director, "EMEA"', 'Inhaber', '代表']), 128)),
    Company: company(random, from),
    Street: at.street,
    City: at.city,
    State: at.state,
    PostalCode: at.postalCode,
    Country: at.country,
    Phone: maybe(random, 0.25, () => digits(random, from.phone)),
    Email: email,
    Website: maybe(random, 0.6, () => `http://example.org/leads/${index}`),
    Description: description(random),
    LeadSource: maybe(random, 0.2, () => random.pick(sources)),
    Status: convertedTo === null ? random.pick(statuses) : 'Closed - Converted',
    Industry: maybe(random, 0.3, () => random.pickEarly(industries)),
    Rating: maybe(random, 0.3, () => random.pick(ratings)),
    AnnualRevenue: revenue === null ? null : Math.round(revenue),
    NumberOfEmployees: maybe(random, 0.4, () => Math.round(random.magnitude(1, 20_000))),
    OwnerId: owned.OwnerId,
    IsConverted: convertedTo !== null,
    ConvertedDate: convertedTo === null ? null : toDate(owned.createdMs),
    ConvertedAccountId: convertedTo,
    IsUnreadByOwner: random.chance(0.4),
    CreatedDate: owned.CreatedDate,
    CreatedById: owned.CreatedById,
    LastModifiedDate: owned.LastModifiedDate,
    LastModifiedById: owned.LastModifiedById,
    SystemModstamp: owned.SystemModstamp,
    ProductInterest__c: maybe(random, 0.4, () => random.pick(products)),
    CurrentGenerators__c: maybe(random, 0.7, () => trapped(random, 'Hawkpower 9000', 100)),
    NumberofLocations__c: maybe(random, 0.5, () => random.int(0, 40)),
  };
};
