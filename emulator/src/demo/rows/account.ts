import { account } from '../../schema/standard/account.ts';
import { description, digits, trapped } from '../texts.ts';
import { dayAround } from '../times.ts';
import { choices } from './choices.ts';
import { address, company, type MakeRow, maybe, money, ownership, region } from './source.ts';

const types = choices(account, 'Type');
const industries = choices(account, 'Industry');
const ratings = choices(account, 'Rating');
const ownerships = choices(account, 'Ownership');
const sources = choices(account, 'AccountSource');
const priorities = choices(account, 'CustomerPriority__c');
const serviceLevels = choices(account, 'SLA__c');
const upsells = choices(account, 'UpsellOpportunity__c');

export const accountRow: MakeRow = (source, index) => {
  const { random, period } = source;
  const from = region(random);
  const billing = address(random, 0.08, from);
  const shipping = address(random, 0.6, from);
  const owned = ownership(source);
  const phone = maybe(random, 0.1, () => digits(random, from.phone));
  return {
    Name: company(random, from),
    Type: maybe(random, 0.15, () => random.pickEarly(types)),
    BillingStreet: billing.street,
    BillingCity: billing.city,
    BillingState: billing.state,
    BillingPostalCode: billing.postalCode,
    BillingCountry: billing.country,
    BillingLatitude: billing.latitude,
    BillingLongitude: billing.longitude,
    ShippingStreet: shipping.street,
    ShippingCity: shipping.city,
    ShippingState: shipping.state,
    ShippingPostalCode: shipping.postalCode,
    ShippingCountry: shipping.country,
    Phone: phone,
    Fax: maybe(random, 0.85, () => digits(random, from.phone)),
    AccountNumber: maybe(random, 0.3, () => `${random.pick(['A-', 'CC', '00', ''])}${String(index).padStart(6, '0')}`),
    Website: maybe(random, 0.35, () => `https://www.example.com/?company=${index}&lang=${random.pick(['en', 'de', 'ja'])}`),
    Sic: maybe(random, 0.7, () => digits(random, '0###')),
    Industry: maybe(random, 0.12, () => random.pickEarly(industries)),
    AnnualRevenue: roundMoney(money(random, 50_000, 5_000_000_000)),
    NumberOfEmployees: maybe(random, 0.2, () => Math.round(random.magnitude(1, 250_000))),
    Ownership: maybe(random, 0.4, () => random.pick(ownerships)),
    TickerSymbol: maybe(random, 0.9, () => random.pick(['ACME', 'TRUE', 'NULL', 'NA', 'BRK.A'])),
    Description: description(random),
    Rating: maybe(random, 0.3, () => random.pick(ratings)),
    Site: maybe(random, 0.8, () => trapped(random, random.pick(['HQ', 'Plant 2', 'Standort Süd']), 80)),
    OwnerId: owned.OwnerId,
    CreatedDate: owned.CreatedDate,
    CreatedById: owned.CreatedById,
    LastModifiedDate: owned.LastModifiedDate,
    LastModifiedById: owned.LastModifiedById,
    SystemModstamp: owned.SystemModstamp,
    LastActivityDate: maybe(random, 0.5, () => dayAround(random, owned.createdMs, -0.2, 0)),
    AccountSource: maybe(random, 0.3, () => random.pick(sources)),
    YearStarted: maybe(random, 0.6, () => String(random.int(1850, 2024))),
    CustomerPriority__c: maybe(random, 0.3, () => random.pick(priorities)),
    SLA__c: maybe(random, 0.4, () => random.pick(serviceLevels)),
    Active__c: maybe(random, 0.1, () => (random.chance(0.8) ? 'Yes' : 'No')),
    NumberofLocations__c: maybe(random, 0.3, () => random.int(0, 999)),
    UpsellOpportunity__c: maybe(random, 0.3, () => random.pick(upsells)),
    SLASerialNumber__c: maybe(random, 0.4, () => digits(random, '0###')),
    SLAExpirationDate__c: maybe(random, 0.4, () => dayAround(random, period.endMs, -1, 3)),
  };
};

/** This field has no decimals. */
const roundMoney = (amount: number | null) => (amount === null ? null : Math.round(amount));
