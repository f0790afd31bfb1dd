import { type Side, type SideResult, type SideWrite, TransientError } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { side as settings } from '../config.ts';
import { signal } from '../fixture.ts';
import { emptyOrg, type WriteOrg, writeOrg } from '../write/write-fixture.ts';

// What a side writes was decided by what the record was a moment ago. When a reply is lost nobody knows how long ago that was by the
// time of the next try: somebody may have changed the record, so it is read and decided upon anew.                       (P2, P7)

let org: WriteOrg;
beforeAll(async () => {
  org = await writeOrg();
});
afterAll(() => org[Symbol.asyncDispose]());
beforeEach(() => emptyOrg(org));

/** Replies that come in place of the org's, to the next changes of records: one of each. */
type Mishap = 'lost after it was done' | 'busy';

const fields = ['Text__c', 'Account__c'];

async function sideOf(mishaps: Mishap[]): Promise<{ readonly side: Side; readonly sent: string[] }> {
  const sent: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const path = new URL(String(input)).pathname.replace(/^.*\/composite\/sobjects/, 'sobjects');
    if (!path.startsWith('sobjects')) return globalThis.fetch(input, init);
    sent.push(`${init!.method} ${path}`);
    const mishap = mishaps.shift();
    if (mishap === 'busy') {
      return new Response('[{"message":"Server is too busy","errorCode":"SERVER_UNAVAILABLE"}]', { status: 503 });
    }
    const reply = await globalThis.fetch(input, init);
    if (mishap === undefined) return reply;
    await reply.arrayBuffer();
    throw new TypeError('fetch failed', { cause: new Error('the connection was reset') });
  };
  const side = await org.connect({ fetch }).openSide!(
    { side: settings.parse({ object: 'Enrichment__c' }), link: 'Key__c', fields, writes: fields, unit: 'both' },
    signal,
  );
  return { side, sent };
}

const merge = (side: Side, write: SideWrite) => side.merge([], async () => [write], signal);

/** One of each kind, and what the org does for it. */
const kinds = {
  create: { call: 'PATCH sobjects/Enrichment__c/Key__c', write: () => ({ op: 'create', row: { Key__c: 'k', Text__c: 'ours' } }) },
  update: { call: 'PATCH sobjects', write: (key) => ({ op: 'update', key, row: { Text__c: 'ours' } }) },
  delete: { call: 'DELETE sobjects', write: (key) => ({ op: 'delete', key }) },
} as const satisfies Record<SideWrite['op'], { readonly call: string; write(key: string): SideWrite }>;

async function prepared(kind: SideWrite['op'], mishaps: Mishap[]) {
  let key = '';
  if (kind !== 'create') {
    const [made] = await merge((await sideOf([])).side, { op: 'create', row: { Key__c: 'k', Text__c: 'before' } });
    key = made!.status === 'written' ? made!.key : '';
  }
  return { ...(await sideOf(mishaps)), write: kinds[kind].write(key), call: kinds[kind].call };
}

test.each(Object.keys(kinds) as SideWrite['op'][])(
  'a %s whose reply was lost is not sent again: the run begins anew',
  async (kind) => {
    const { side, sent, write, call } = await prepared(kind, ['lost after it was done']);
    await expect(merge(side, write)).rejects.toThrow(TransientError);
    expect(sent).toEqual([call]);
  },
);

test.each(Object.keys(kinds) as SideWrite['op'][])(
  `a %s that the org was too busy for is sent again ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses: 503')}`,
  async (kind) => {
    const { side, sent, write, call } = await prepared(kind, ['busy']);
    expect(await merge(side, write)).toMatchObject([{ status: 'written' }]);
    expect(sent).toEqual([call, call]);
  },
);

// The org has one and the same code for a record that is not there and for one that a lookup names and is not there.
describe.each([
  ['was never there', 'INVALID_CROSS_REFERENCE_KEY'],
  ['was deleted', 'ENTITY_IS_DELETED'],
] as const)(
  `a lookup to a record that %s ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses')}`,
  (how, code) => {
    const lookup = (): string => {
      const { emulator } = org;
      if (how === 'was never there') return '001000000000001AAA';
      const { id } = emulator.org.write((tx) => tx.insert('Account', { Name: 'gone' }));
      emulator.org.write((tx) => tx.delete('Account', id!));
      return id!;
    };

    test('is refused with its reason, in an update as in a create (P2)', async () => {
      const { side } = await sideOf([]);
      const refused = [{ status: 'rejected', reason: { code } }];
      const row = { Account__c: lookup() };
      expect(await merge(side, { op: 'create', row: { Key__c: 'new', ...row } })).toMatchObject(refused);
      const [made] = await merge(side, { op: 'create', row: { Key__c: 'k', Text__c: 'before' } });
      const { key } = made as Extract<SideResult, { status: 'written' }>;
      expect(await merge(side, { op: 'update', key, row })).toMatchObject(refused);
      org.emulator.org.write((tx) => tx.delete('Enrichment__c', key));
      expect(await merge(side, { op: 'update', key, row: { Text__c: 'after' } })).toEqual([{ status: 'gone' }]);
    });
  },
);
