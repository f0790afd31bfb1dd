import type { Mapped } from '../live/mapping.ts';

/** A sync of the world, and how it is fed. */
export interface FleetSync {
  readonly mapped: Mapped;
  /** Of the two connections to the one org. */
  readonly from: 'org' | 'branch';
  readonly live: boolean;
}

const accounts = { id: 'Id', name: 'Name', city: 'BillingCity', phone: 'Phone', site: 'Site' };
const contacts = { id: 'Id', last: 'LastName', city: 'MailingCity', account: 'AccountId', phone: 'Phone' };

/** Two streams, of which one feeds two syncs, and three syncs that are polled: five units of work. */
export const syncs: readonly FleetSync[] = [
  { mapped: mapped('accounts', 'Account', accounts), from: 'org', live: true },
  { mapped: mapped('contacts', 'Contact', contacts), from: 'org', live: true },
  { mapped: mapped('branch', 'Account', accounts), from: 'branch', live: true },
  { mapped: mapped('polled_accounts', 'Account', accounts), from: 'org', live: false },
  { mapped: mapped('polled_contacts', 'Contact', contacts), from: 'org', live: false },
  { mapped: mapped('names', 'Account', { id: 'Id', name: 'Name' }), from: 'branch', live: false },
];

export const units: readonly string[] = ['live:org:db', 'live:branch:db', 'polled_accounts', 'polled_contacts', 'names'];

/** Who keeps this checkpoint: a stream has those of its syncs beside its own. */
export function unitOf(checkpoint: string): string {
  const fed = syncs.find(({ mapped: { sync }, live }) => live && sync === checkpoint);
  return fed === undefined ? checkpoint : `live:${fed.from}:db`;
}

function mapped(sync: string, object: Mapped['object'], fields: Mapped['fields']): Mapped {
  return { sync, object, table: sync, fields, computed: {}, where: null, deletes: 'mirror', startAtMs: null };
}
