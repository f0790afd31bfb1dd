import { type Clock, RequestRefusedError, SyncError } from '@tidemark/core';
import type { Client } from './client.ts';
import { salesforceCode } from './errors.ts';
import { objectGrant } from './grants.ts';
import { shared } from './shared.ts';
import { identifier } from './soql.ts';

/** REST API Developer Guide, "sObject Describe": what we use of it. */
export interface DescribeField {
  readonly name: string;
  readonly type: string;
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
  readonly nillable: boolean;
  readonly calculated: boolean;
  /** Absent in older describes; null for a roll-up. */
  readonly calculatedFormula?: string | null;
  readonly filterable: boolean;
  readonly sortable: boolean;
  readonly referenceTo: readonly string[];
  readonly relationshipName: string | null;
  /** The field that this one is a part of: `BillingAddress`. Of some fields it is their own name. */
  readonly compoundFieldName?: string | null;
  readonly extraTypeInfo?: string | null;
  readonly createable: boolean;
  readonly updateable: boolean;
  readonly defaultedOnCreate: boolean;
  readonly externalId: boolean;
  /** Records can be found by this field in an upsert. */
  readonly idLookup: boolean;
  readonly unique: boolean;
  readonly caseSensitive: boolean;
}
export interface Describe {
  readonly name: string;
  readonly queryable: boolean;
  readonly replicateable: boolean;
  readonly createable: boolean;
  readonly updateable: boolean;
  readonly deletable: boolean;
  readonly fields: readonly DescribeField[];
}

export interface Describes {
  get(object: string, signal?: AbortSignal): Promise<Describe>;
  /** The next `get` asks the org: what it said does not hold any more. */
  forget(object: string): void;
}

/** A poll every ten seconds must not cost a describe each (P8); a new field may wait this long. */
const keptMs = 15 * 60_000;

/** All that is kept of a field: a describe holds ten times as much, picklists above all. */
const fieldKeys = Object.keys({
  name: true,
  type: true,
  length: true,
  precision: true,
  scale: true,
  nillable: true,
  calculated: true,
  calculatedFormula: true,
  filterable: true,
  sortable: true,
  referenceTo: true,
  relationshipName: true,
  compoundFieldName: true,
  extraTypeInfo: true,
  createable: true,
  updateable: true,
  defaultedOnCreate: true,
  externalId: true,
  idLookup: true,
  unique: true,
  caseSensitive: true,
} satisfies Record<keyof DescribeField, true>) as (keyof DescribeField)[];

/** Standard fields are the same in all of a thousand orgs: each is kept once. */
function keptOf({ name, queryable, replicateable, createable, updateable, deletable, fields }: Describe): Describe {
  const kept = fields.map((field) =>
    shared(Object.fromEntries(fieldKeys.flatMap((key) => (key in field ? [[key, field[key]]] : []))) as unknown as DescribeField),
  );
  return { name, queryable, replicateable, createable, updateable, deletable, fields: kept };
}

export function createDescribes(client: Client, clock: Clock): Describes {
  const kept = new Map<string, { describe: Describe; modified: string | null; atMs: number }>();
  return {
    async get(object, signal) {
      const name = object.toLowerCase();
      const known = kept.get(name);
      if (known !== undefined && clock.now() - known.atMs < keptMs) return known.describe;
      const reply = await client
        .request({
          method: 'GET',
          path: `/sobjects/${identifier(object)}/describe`,
          headers: known?.modified ? { 'if-modified-since': known.modified } : {},
          about: `describe of ${object}`,
          signal,
        })
        .catch((error: unknown) => {
          throw unseen(object, error);
        });
      const describe = reply.status === 304 && known !== undefined ? known.describe : keptOf(reply.body as Describe);
      kept.set(name, { describe, modified: reply.headers.get('last-modified') ?? known?.modified ?? null, atMs: clock.now() });
      return describe;
    },
    forget(object) {
      kept.delete(object.toLowerCase());
    },
  };
}

/** An object that the user may not see looks as if there were none. */
function unseen(object: string, error: unknown): unknown {
  if (!(error instanceof SyncError) || salesforceCode(error) !== 'NOT_FOUND') return error;
  const grant = objectGrant(object, 'allowRead', ...(object.endsWith('__e') ? [] : (['viewAllRecords'] as const)));
  const hint = `Check the spelling, or the user lacks the permission to read this object: ${grant}`;
  return new RequestRefusedError(error.message, { cause: error.cause, hint });
}
