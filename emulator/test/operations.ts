import fc from 'fast-check';
import type { PermissionSet } from '../src/access/permission-set.ts';
import type { FaultSpec } from '../src/faults/types.ts';
import type { Values } from '../src/org/types.ts';

/** What can happen to an org: as data, so that a failure shrinks to the few operations that it takes. */

/** A master with its details, a parent with what goes along when it is deleted, and lookups of every kind between them. */
export const objects = ['Account', 'Contact', 'Thing__c', 'Line__c'] as const;
export type ObjectName = (typeof objects)[number];
export const users = ['admin', 'standard', 'reader', 'api'] as const;
export type UserName = (typeof users)[number];

/** Fields that are unique among living records. */
export const uniqueFields = { Account: 'Unique__c', Contact: undefined, Thing__c: 'Ext__c', Line__c: undefined } as const;

/** `pick` chooses a record when the operation runs; -1 names one that never was. */
type Pick = number;
/** Values, and in `links` references to be filled in then. */
export interface Draft {
  values: Values;
  links: Record<string, Pick>;
}

export type Operation =
  | { do: 'create' | 'update' | 'upsert' | 'delete' | 'retrieve'; user: UserName; object: ObjectName; pick: Pick; draft: Draft }
  | {
      do: 'collection';
      user: UserName;
      kind: 'create' | 'update' | 'upsert' | 'delete' | 'retrieve';
      object: ObjectName;
      allOrNone: boolean;
      rows: { pick: Pick; draft: Draft }[];
    }
  | { do: 'composite' | 'graph'; user: UserName; allOrNone: boolean; drafts: Draft[]; pick: Pick; spoil: boolean }
  | { do: 'batch'; user: UserName; picks: Pick[]; haltOnError: boolean }
  | { do: 'tree'; user: UserName; drafts: Draft[]; spoil: boolean }
  | {
      do: 'ingest';
      user: UserName;
      kind: 'insert' | 'update' | 'upsert' | 'delete' | 'hardDelete';
      object: ObjectName;
      rows: { pick: Pick; draft: Draft }[];
      abort: boolean;
    }
  | { do: 'merge' | 'undelete' | 'purge' | 'random'; object: ObjectName; pick: Pick; other: Pick }
  | { do: 'open' }
  | {
      do: 'write open';
      at: number;
      kind: 'insert' | 'update' | 'delete' | 'undelete';
      object: ObjectName;
      pick: Pick;
      draft: Draft;
    }
  | { do: 'commit' | 'roll back'; at: number }
  | { do: 'read'; user: UserName; what: number; object: ObjectName }
  | { do: 'permit'; user: Exclude<UserName, 'admin'>; permissions: PermissionSet }
  | { do: 'clock'; ms: number }
  | { do: 'fault'; fault: FaultSpec };

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const word = fc.constantFrom('a', 'b', 'ü and 中', '"quoted", with commas', 'x'.repeat(20));
const paragraphs = Array.from({ length: 20 }, (_, i) => `line ${i}: long enough for a text that is told as a diff`);
const longText = fc.nat(19).map((n) => paragraphs.with(n, `line ${n} is another`).join('\n'));
const pick = fc.integer({ min: -1, max: 12 });
const key = fc.constantFrom('k1', 'K1', 'k2', 'k3');
const optional = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { requiredKeys: [] });

const drafts: Record<ObjectName, fc.Arbitrary<Draft>> = {
  Account: fc.record({
    values: optional({
      Phone: maybe(word),
      Industry: maybe(fc.constantFrom('Banking', 'Energy')),
      Description: maybe(longText),
      AnnualRevenue: maybe(fc.constantFrom(0, 1.25, 1e9)),
      BillingCity: maybe(word),
      Unique__c: maybe(key),
      Ext__c: maybe(key),
    }) as fc.Arbitrary<Values>,
    links: optional({ ParentId: pick }) as fc.Arbitrary<Record<string, number>>,
  }),
  Contact: fc.record({
    values: optional({
      FirstName: maybe(word),
      Birthdate: maybe(fc.constant('1969-07-20')),
      MailingCity: maybe(word),
    }) as fc.Arbitrary<Values>,
    links: optional({ AccountId: pick, ReportsToId: pick }) as fc.Arbitrary<Record<string, number>>,
  }),
  Thing__c: fc.record({
    values: optional({
      Text__c: maybe(fc.constantFrom('a', 'refused', 'x'.repeat(21))),
      Ext__c: maybe(key),
      Number__c: maybe(fc.constantFrom(0, 3.25, -9)),
      Flag__c: fc.boolean(),
      Moment__c: maybe(fc.constant('2024-05-22T13:05:09.000Z')),
      Stage__c: maybe(fc.constantFrom('Alpha', 'unknown')),
    }) as fc.Arbitrary<Values>,
    links: optional({ Account__c: pick, Master__c: pick }) as fc.Arbitrary<Record<string, number>>,
  }),
  Line__c: fc.record({
    values: optional({ Text__c: maybe(word) }) as fc.Arbitrary<Values>,
    links: fc.record(
      { Fixed__c: pick, Moving__c: pick, Guarded__c: pick, Loose__c: pick },
      { requiredKeys: ['Fixed__c', 'Moving__c'] },
    ) as fc.Arbitrary<Record<string, number>>,
  }),
};

const object = fc.constantFrom(...objects);
const user = fc.constantFrom<UserName>('admin', 'admin', 'admin', 'standard', 'standard', 'api', 'reader');
const rows = (of: ObjectName) => fc.array(fc.record({ pick, draft: drafts[of] }), { minLength: 1, maxLength: 5 });
const accounts = fc.array(drafts.Account, { minLength: 1, maxLength: 3 });
const ofObject = <T>(make: (name: ObjectName) => fc.Arbitrary<T>) => object.chain(make);

const requests: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: ofObject((name) =>
      fc.record({
        do: fc.constantFrom(
          'create' as const,
          'create' as const,
          'update' as const,
          'upsert' as const,
          'delete' as const,
          'retrieve' as const,
        ),
        user,
        object: fc.constant(name),
        pick,
        draft: drafts[name],
      }),
    ),
  },
  {
    weight: 5,
    arbitrary: ofObject((name) =>
      fc.record({
        do: fc.constant('collection' as const),
        user,
        kind: fc.constantFrom('create', 'create', 'update', 'upsert', 'delete', 'retrieve'),
        object: fc.constant(name),
        allOrNone: fc.boolean(),
        rows: rows(name),
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('composite' as const, 'graph' as const),
      user,
      allOrNone: fc.boolean(),
      drafts: accounts,
      pick,
      spoil: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      user,
      picks: fc.array(pick, { minLength: 1, maxLength: 3 }),
      haltOnError: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tree' as const), user, drafts: accounts, spoil: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: ofObject((name) =>
      fc.record({
        do: fc.constant('ingest' as const),
        user,
        kind: fc.constantFrom('insert', 'insert', 'update', 'upsert', 'delete', 'hardDelete'),
        object: fc.constant(name),
        rows: rows(name),
        abort: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      }),
    ),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), user, what: fc.nat(7), object }) },
) as fc.Arbitrary<Operation>;

const flag = fc.option(fc.boolean(), { nil: undefined, freq: 2 });
const known = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));
const permissions = fc.record({
  objects: fc.dictionary(object, fc.record({ read: flag, create: flag, edit: flag, delete: flag }).map(known), { maxKeys: 2 }),
  fields: fc.dictionary(
    fc.constantFrom('Account.Phone', 'Account.Unique__c', 'Contact.AccountId', 'Thing__c.Text__c', 'Thing__c.Ext__c'),
    fc.record({ read: flag, edit: flag }).map(known),
    { maxKeys: 2 },
  ),
}) as fc.Arbitrary<PermissionSet>;

const times = fc.integer({ min: 1, max: 2 });
/** None that holds a reply: nothing here waits. And no lost event: that a copy cannot know of is the point of it. */
const fault: fc.Arbitrary<FaultSpec> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('unauthorized' as const, 'limit-exceeded' as const, 'lost-response' as const),
    match: fc.record({ times }),
  }),
  fc.record({ kind: fc.constant('unavailable' as const), match: fc.record({ times }) }),
  fc.record({
    kind: fc.constantFrom('drop' as const, 'truncate' as const),
    match: fc.record({ times }),
    params: fc.record({ afterBytes: fc.constantFrom(0, 20) }),
  }),
  fc.record({
    kind: fc.constant('row-lock' as const),
    match: fc.record({ times: fc.integer({ min: 1, max: 6 }) }),
    params: fc.record({ object }),
  }),
  fc.record({
    kind: fc.constant('row-errors' as const),
    match: fc.record({ times }),
    params: fc.record({ share: fc.constant(0.5), seed: fc.nat(99) }),
  }),
  fc.record({
    kind: fc.constantFrom('job-failed' as const, 'job-aborted' as const),
    match: fc.record({ times }),
    params: fc.record({ afterRecords: fc.nat(3) }),
  }),
  fc.record({
    kind: fc.constant('upload-failed' as const),
    match: fc.record({ times }),
    params: fc.record({ afterBytes: fc.constant(9) }),
  }),
  fc.record({
    kind: fc.constantFrom(
      'gap-event' as const,
      'overflow-event' as const,
      'duplicate-event' as const,
      'duplicate-event' as const,
    ),
    match: fc.record({ times }),
  }),
) as fc.Arbitrary<FaultSpec>;

const events: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'merge' as const,
        'merge' as const,
        'undelete' as const,
        'undelete' as const,
        'purge' as const,
        'random' as const,
      ),
      object,
      pick,
      other: pick,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const) }) },
  {
    weight: 3,
    arbitrary: ofObject((name) =>
      fc.record({
        do: fc.constant('write open' as const),
        at: fc.nat(2),
        kind: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const, 'undelete' as const),
        object: fc.constant(name),
        pick,
        draft: drafts[name],
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'commit' as const, 'roll back' as const), at: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('permit' as const),
      user: fc.constantFrom('standard' as const, 'reader' as const, 'api' as const),
      permissions,
    }),
  },
  // All of a run together are fewer than the 72 hours for which events are kept.
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('clock' as const),
      ms: fc.constantFrom(1, 1000, 61_000, 1_800_000, 7_300_000, -1000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fault' as const), fault }) },
) as fc.Arbitrary<Operation>;

export const operation: fc.Arbitrary<Operation> = fc.oneof({ weight: 3, arbitrary: requests }, { weight: 2, arbitrary: events });
