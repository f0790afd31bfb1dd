import { type Plan, startMs } from './plan.ts';

/** One sync of the world: fields of the target by fields of the org. */
export interface Mapped {
  readonly sync: string;
  readonly object: 'Account' | 'Contact';
  readonly table: string;
  /** Column → field. */
  readonly fields: Readonly<Record<string, string>>;
  /** Column → how it follows from the record's other columns: an expression, and the same in our own words. */
  readonly computed: Readonly<Record<string, { readonly expression: string; readonly value: (row: Values) => string | null }>>;
  /** SOQL, and the same in our own words. */
  readonly where: { readonly soql: string; readonly holds: (row: Values) => boolean } | null;
  readonly deletes: 'mirror' | 'mark';
  /** Records that nobody has changed since then may be there or not; null when all have to be. */
  readonly startAtMs: number | null;
}

export type Values = Readonly<Record<string, string | null>>;

/** Texts that any write may change, by object. */
export const writable: Readonly<Record<Mapped['object'], readonly string[]>> = {
  Account: ['Name', 'BillingCity', 'Phone', 'Site'],
  Contact: ['LastName', 'FirstName', 'MailingCity', 'Phone', 'Description'],
};

/** Of the org's time. What is there in the beginning of a world is older in worlds that start late, and everything else newer. */
export const startAtMs = startMs + 30 * 60_000;

export function mappingsOf({ strict, filtered, deletes, startsLate }: Plan): readonly Mapped[] {
  const from = startsLate ? startAtMs : null;
  const accounts: Mapped = {
    sync: 'accounts',
    object: 'Account',
    table: 'accounts',
    fields: { id: 'Id', name: 'Name', city: 'BillingCity', phone: 'Phone', site: 'Site' },
    computed: strict
      ? {}
      : {
          title: {
            expression: "= $uppercase(Name) & '/' & Site",
            value: ({ name, site }) => `${name?.toUpperCase()}/${site ?? ''}`,
          },
        },
    where: null,
    deletes,
    startAtMs: from,
  };
  const contacts: Mapped = {
    sync: 'contacts',
    object: 'Contact',
    table: 'contacts',
    fields: {
      id: 'Id',
      last: 'LastName',
      first: 'FirstName',
      city: 'MailingCity',
      account: 'AccountId',
      phone: 'Phone',
      // Long texts come as a diff, compound names in parts: the record has to be read.
      ...(strict ? {} : { notes: 'Description', full: 'Name' }),
    },
    computed: {},
    where: null,
    deletes: 'mirror',
    startAtMs: from,
  };
  if (!filtered) return [accounts, contacts];
  const townsfolk: Mapped = {
    sync: 'townsfolk',
    object: 'Contact',
    table: 'townsfolk',
    fields: { id: 'Id', city: 'MailingCity', phone: 'Phone' },
    computed: {},
    where: { soql: 'MailingCity != null', holds: ({ city }) => city !== null },
    deletes: 'mirror',
    startAtMs: from,
  };
  return [accounts, contacts, townsfolk];
}

export function syncOf({ object, table, fields, computed, where, deletes, startAtMs: from }: Mapped): object {
  return {
    from: { connection: 'org', object },
    to: { connection: 'db', table },
    fields: { ...fields, ...Object.fromEntries(Object.entries(computed).map(([name, { expression }]) => [name, expression])) },
    ...(where === null ? {} : { where: where.soql }),
    ...(from === null ? {} : { startAt: new Date(from).toISOString() }),
    deletes,
    live: true,
    every: '1h',
  };
}
