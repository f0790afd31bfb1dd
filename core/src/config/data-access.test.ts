import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import type { RowsKind } from '../model/rows.ts';
import type { AnyConnector } from './config.ts';
import { accessTo } from './data-access.ts';
import { syncedTables } from './data-tables.ts';
import { parseConfig } from './load-config.ts';

// Which tables of the user's are served, and for what: never more than is written down, and nothing that a sync would write over.

const table = z.strictObject({ table: z.string().optional(), query: z.string().optional() });
const rows: RowsKind = {
  place: (_, { spec }) => {
    const { table: name } = spec as { table?: string };
    return name === undefined || name.startsWith('_') ? null : { name, at: name, watermark: null };
  },
};
const base = { summary: '', from: table, to: table, side: table, open: () => ({}) };
const connectors = [
  { ...base, name: 'db', config: z.strictObject({}), rows },
  { ...base, name: 'org', config: z.strictObject({}) },
] as unknown as AnyConnector[];

const config = (data: object) =>
  parseConfig(
    JSON.stringify({
      connections: { app: { type: 'db' }, crm: { type: 'org' } },
      syncs: {
        down: { from: { connection: 'crm', table: 'Contact' }, to: { connection: 'app', table: 'contacts' } },
        up: { from: { connection: 'app', table: 'orders' }, to: { connection: 'crm', table: 'Order' } },
        query: { from: { connection: 'app', query: 'SELECT 1' }, to: { connection: 'crm', table: 'One' } },
        own: { from: { connection: 'app', table: '_tidemark_checkpoints' }, to: { connection: 'crm', table: 'Two' } },
        both: {
          between: [
            { connection: 'crm', table: 'Account' },
            { connection: 'app', table: 'accounts', link: 'crm_id' },
          ],
          fields: { name: 'Name' },
          conflicts: 'manual',
        },
      },
      http: { data },
    }),
    { file: '/tidemark.yaml', env: {}, connectors },
  );

function served(data: object): Record<string, string> {
  const read = config(data);
  const tables = syncedTables({ ...read, syncs: read.syncs.values(), pairings: read.pairings.values() }, read);
  const all = [...tables.values()].flatMap((own) => [...own.values()]);
  return Object.fromEntries(
    all.flatMap((each) => {
      const access = accessTo(each, read.http.data);
      return access === null ? [] : [[`${each.connection}/${each.spec.name}`, access]];
    }),
  );
}

describe('what is served', () => {
  test('nothing, unless told', () => expect(served({})).toEqual({}));

  test('a connection: its tables, each for as much as makes sense there', () => {
    expect(served({ app: 'read' })).toEqual({ 'app/contacts': 'read', 'app/orders': 'read', 'app/accounts': 'read' });
    expect(served({ app: 'write' })).toEqual({ 'app/contacts': 'read', 'app/orders': 'write', 'app/accounts': 'write' });
    expect(served({ app: 'write-through' })).toEqual({
      'app/contacts': 'read',
      'app/orders': 'read',
      'app/accounts': 'write-through',
    });
  });

  test('tables by name: those and no other', () => {
    expect(served({ app: { orders: 'write', accounts: 'write-through' } })).toEqual({
      'app/orders': 'write',
      'app/accounts': 'write-through',
    });
  });
});

test.each([
  [{ ap: 'read' }, 'there is no such connection', 'did you mean app?'],
  [{ crm: 'read' }, 'is of type org, whose records are not served', 'name a database'],
  [{ app: 'rite' }, 'must be one of: read, write, write-through', undefined],
  [{ app: { order: 'read' } }, 'is no table that a sync reads or writes here', 'did you mean orders?'],
  [{ app: { _tidemark_checkpoints: 'read' } }, 'is no table that a sync reads or writes here', 'one of: '],
  [{ app: { contacts: 'write' } }, 'is a copy, which its sync would write over', 'between:'],
  [{ app: { orders: 'write-through' } }, 'is no side of a two-way sync', 'take write'],
])('%j is refused with its place and a remedy', (data, message, hint) => {
  const error = (() => {
    try {
      config(data);
      return null;
    } catch (reason) {
      return reason;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problems).toEqual([
    expect.objectContaining({
      place: expect.stringMatching(/tidemark\.yaml:1:\d+/),
      message: expect.stringContaining(message),
      ...(hint !== undefined && { hint: expect.stringContaining(hint) }),
    }),
  ]);
});
