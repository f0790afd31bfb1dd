import type { Schema } from '../schema/types.ts';
import { createClock } from './clock.ts';
import { loadRows } from './load.ts';
import { orgReads } from './reads.ts';
import { openStore, type Store } from './store.ts';
import { beginTransaction } from './transaction.ts';
import type { Org, OrgClock, Values } from './types.ts';
import { viewOrg } from './view-org.ts';

export interface OrgOptions {
  schema: Schema;
  clock?: OrgClock;
  /** Ids follow from it: two orgs of one seed, written alike, are alike. */
  seed?: number;
  /** An SQLite file; in memory when absent. */
  path?: string;
}

export function createOrg(options: OrgOptions): Org {
  const { schema } = options;
  const clock = options.clock ?? createClock();
  const store = openStore({ schema, clock, seed: options.seed ?? 1, path: options.path ?? ':memory:' });
  const { adminUserId } = store;
  foundOrg(store);
  let transactions = 0;

  const org: Org = {
    id: store.orgId,
    schema,
    clock,
    adminUserId,
    ...orgReads(store, adminUserId),
    begin: ({ userId = adminUserId, origin = '', allowDuplicates = false } = {}) =>
      beginTransaction(store, `t${++transactions}`, { userId, origin, allowDuplicates }),
    onCommit: (listener) => store.commitLog.onCommit(listener),
    automate: (automation) => added(store.automations, automation),
    duplicateRules: store.duplicateRules,
    calculations: store.calculations,
    contend: (contends) => added(store.contenders, contends),
    onInsertedEvent: (listener) => added(store.eventListeners, listener),
    write(work, written) {
      const transaction = org.begin(written);
      let result: ReturnType<typeof work>;
      try {
        result = work(transaction);
      } catch (error) {
        transaction.rollback();
        throw error;
      }
      transaction.commit();
      return result;
    },
    as: (viewer) => viewOrg(org, store, viewer),
    load(object, rows) {
      const count = loadRows(store, object, rows, adminUserId);
      store.calculations.loaded(object);
      return count;
    },
    close: () => store.close(),
  };
  return org;
}

function added<T>(set: Set<T>, item: T): () => void {
  set.add(item);
  return () => set.delete(item);
}

/** A new org has its administrator and its Organization record, if the schema knows of such. */
function foundOrg(store: Store): void {
  const userId = store.adminUserId;
  const users = store.table('User');
  if (users && !store.row(users, userId)) {
    const user: Values = {
      Id: userId,
      Username: 'admin@example.com',
      FirstName: 'Ada',
      LastName: 'Admin',
      Email: 'admin@example.com',
      Alias: 'admin',
      IsActive: true,
      UserType: 'Standard',
      TimeZoneSidKey: 'UTC',
      LocaleSidKey: 'en_US',
      LanguageLocaleKey: 'en_US',
      EmailEncodingKey: 'UTF-8',
    };
    loadRows(store, 'User', [known(store, 'User', user)], userId);
  }
  const organizations = store.table('Organization');
  if (organizations && !store.row(organizations, store.orgId)) {
    const organization: Values = {
      Id: store.orgId,
      Name: 'Emulated Org',
      OrganizationType: 'Developer Edition',
      InstanceName: 'EMU1',
      IsSandbox: false,
      LanguageLocaleKey: 'en_US',
      TimeZoneSidKey: 'UTC',
    };
    loadRows(store, 'Organization', [known(store, 'Organization', organization)], userId);
  }
}

function known(store: Store, object: string, values: Values): Values {
  const table = store.requireTable(object);
  return Object.fromEntries(Object.entries(values).filter(([name]) => table.column(name)));
}
