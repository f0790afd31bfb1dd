import type { Value, Values } from '../../org/types.ts';
import type { Random } from '../random.ts';
import { type Region, weightedRegions } from '../regions.ts';
import { digits, slug, trapped, traps } from '../texts.ts';
import { type AuditTimes, auditTimes, type Period } from '../times.ts';

/** What the rows of one object are made from. */
export interface RowSource {
  random: Random;
  period: Period;
  /** Users who own records. */
  ownerIds: readonly string[];
  /** Accounts that records may belong to; empty when there are none. */
  accountIds: readonly string[];
  contacts: readonly { id: string; accountId: string | null }[];
}

/** The `index`-th row. All rows of an object have the same keys in the same order, which makes loading them quick. */
export type MakeRow = (source: RowSource, index: number) => Values;

export const region = (random: Random): Region => random.pick(weightedRegions);

/** Null with this probability. */
export const maybe = <T extends Value>(random: Random, missing: number, make: () => T): T | null =>
  random.next() < missing ? null : make();

export function company(random: Random, { company, companyForms }: Region): string {
  const name = `${random.pick(company)} ${random.pick(companyForms)}`;
  const drawn = random.next();
  if (drawn < 0.4) return `${name} ${random.int(2, 999)}`;
  if (drawn < 0.42) return `${name} ${random.pick(traps.emoji)}`;
  return trapped(random, name, 255);
}

export interface Person {
  salutation: string | null;
  firstName: string | null;
  lastName: string;
  email: string | null;
}

export function person(random: Random, { firstNames, lastNames }: Region, index: number): Person {
  const firstName = random.chance(0.04) ? null : random.pick(firstNames);
  const lastName = random.pick(lastNames);
  const local = [firstName ?? '', lastName].map(slug).filter((part) => part !== '');
  return {
    salutation: maybe(random, 0.5, () => random.pick(['Mr.', 'Ms.', 'Mrs.', 'Dr.', 'Prof.'])),
    firstName,
    lastName,
    email: maybe(random, 0.12, () => `${local.join('.') || 'contact'}.${index}@${random.pick(domains)}`),
  };
}

/** Reserved for examples (RFC 2606): a mistaken mail reaches nobody. */
const domains = ['example.com', 'example.net', 'example.org', 'mail.example.com'];

export interface Address {
  street: string | null;
  city: string | null;
  state: string | null;
  postalCode: string | null;
  country: string | null;
  latitude: number | null;
  longitude: number | null;
}

const nowhere: Address = {
  street: null,
  city: null,
  state: null,
  postalCode: null,
  country: null,
  latitude: null,
  longitude: null,
};

export function address(random: Random, missing: number, from: Region): Address {
  if (random.next() < missing) return nowhere;
  const [city, state, latitude, longitude, country = from.country] = random.pick(from.cities);
  const located = random.chance(0.3);
  return {
    street: street(random, from),
    city,
    state,
    postalCode: digits(random, from.postalCode),
    country,
    latitude: located ? jitter(random, latitude) : null,
    longitude: located ? jitter(random, longitude) : null,
  };
}

/** Up to about 5 km off, with the six digits that geocoders give. */
const jitter = (random: Random, degrees: number) => Math.round((degrees + (random.next() - 0.5) / 10) * 1e6) / 1e6;

function street(random: Random, { streets }: Region): string {
  const line = `${random.pick(streets)} ${random.int(1, 999)}`;
  const drawn = random.next();
  if (drawn < 0.04) return `${line}\nFloor ${random.int(1, 40)}`;
  if (drawn < 0.06) return `${line}\r\nBuilding "${random.pick(['A', 'B', 'C'])}", Gate ${random.int(1, 9)}`;
  if (drawn < 0.07) return `${line}\t(rear)`;
  return line;
}

/** Cents for most, round for some; now and then huge, none or owed. */
export function money(random: Random, min: number, max: number): number | null {
  const drawn = random.next();
  if (drawn < 0.08) return null;
  if (drawn < 0.09) return 0;
  if (drawn < 0.12) return -Math.round(random.magnitude(1, 50_000) * 100) / 100;
  if (drawn < 0.125) return 9_999_999_999_999.99;
  const amount = random.magnitude(min, max);
  return drawn < 0.4 ? Math.round(amount / 100) * 100 : Math.round(amount * 100) / 100;
}

export interface Ownership extends AuditTimes {
  OwnerId: string;
  CreatedById: string;
  LastModifiedById: string;
}

export function ownership({ random, period, ownerIds }: RowSource): Ownership {
  const owner = random.pickEarly(ownerIds);
  return {
    ...auditTimes(random, period),
    OwnerId: owner,
    CreatedById: owner,
    LastModifiedById: random.chance(0.7) ? owner : random.pick(ownerIds),
  };
}
