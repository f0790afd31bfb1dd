import { evidence } from '@tidemark/emulator';
import { describeLookupContract } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { signal, testOrg } from './fixture.ts';

describeLookupContract(
  `salesforce ${evidence('documented', 'SOQL and SOSL Reference, Comparison Operators: comparisons of strings are case-insensitive')}`,
  async () => {
    const org = await testOrg();
    const connection = org.connect();
    return {
      open: (spec) => connection.openLookup!({ lookup: { object: 'Account' }, ...spec }, signal),
      async put(records) {
        org.emulator.org.write((tx) => {
          for (const { name, phone } of records) tx.insert('Account', { Name: name, Phone: phone });
        });
      },
      [Symbol.asyncDispose]: () => org[Symbol.asyncDispose](),
    };
  },
  { foldsCase: true },
);

test(`hundreds of values cost one call, and fields of parents come along (P8) ${evidence('documented', 'REST API Developer Guide, Composite; SOQL and SOSL Reference, Relationship Queries')}`, async () => {
  await using org = await testOrg();
  const { id } = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'Acme' }));
  org.emulator.org.write((tx) => {
    for (let i = 0; i < 900; i++) tx.insert('Contact', { LastName: `n${i}`, AccountId: id });
  });
  const spec = { lookup: { object: 'contact' }, key: 'lastname', fields: ['account.name', 'Id'] };
  await using lookup = await org.connect().openLookup!(spec, signal);
  org.calls();
  const found = await lookup.find(
    Array.from({ length: 900 }, (_, i) => `n${i}`),
    signal,
  );
  expect(org.calls()).toBe(1);
  expect(found.size).toBe(900);
  expect(found.get('n7')).toMatchObject([{ 'account.name': 'Acme', Id: expect.stringMatching(/^003/) }]);
});
