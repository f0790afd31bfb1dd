import jsforceNode from '@jsforce/jsforce-node';
import jsforce from 'jsforce';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestOrg, type TestOrg } from './testing.ts';

// Public clients, unchanged, cannot tell this org from a real one in what they use.

describe.each([
  { name: 'jsforce', library: jsforce },
  { name: '@jsforce/jsforce-node', library: jsforceNode as unknown as typeof jsforce },
])('$name', ({ library }) => {
  let org: TestOrg;
  beforeAll(async () => {
    org = await startTestOrg();
    org.emulator.org.load(
      'Account',
      Array.from({ length: 4100 }, (_, n) => ({ Name: `Account ${n}`, Ext__c: `e${n}` })),
    );
  });
  afterAll(() => org.emulator.close());

  const connect = () => {
    const { instanceUrl, accessToken } = org.emulator.credentials;
    return new library.Connection({ instanceUrl, accessToken, version: '62.0' });
  };

  test('signs in by SOAP, and out', async () => {
    const { loginUrl, username, password, securityToken, organizationId, instanceUrl } = org.emulator.credentials;
    const connection = new library.Connection({ loginUrl });
    const user = await connection.login(username, password + securityToken);
    expect(user).toMatchObject({ id: org.emulator.org.adminUserId, organizationId });
    expect(connection.instanceUrl).toBe(instanceUrl);
    expect((await connection.identity()).username).toBe(username);
    await connection.logout();
    const wrong = new library.Connection({ loginUrl }).login(username, 'wrong');
    await expect(wrong).rejects.toThrow(/^INVALID_LOGIN: /);
  });

  test('signs in by OAuth: password, client credentials, refresh', async () => {
    const { loginUrl, username, password, securityToken, clientId, clientSecret, refreshToken, instanceUrl } =
      org.emulator.credentials;
    const oauth2 = { loginUrl, clientId, clientSecret };
    const byPassword = new library.Connection({ oauth2 });
    await byPassword.login(username, password + securityToken);
    expect((await byPassword.query('SELECT COUNT() FROM Account')).totalSize).toBe(4100);
    const byClient = new library.Connection({ instanceUrl, oauth2 });
    await byClient.authorize({ grant_type: 'client_credentials' });
    expect((await byClient.query('SELECT COUNT() FROM Account')).totalSize).toBe(4100);
    const refreshed: string[] = [];
    const expired = new library.Connection({ instanceUrl, oauth2, accessToken: 'gone', refreshToken });
    expired.on('refresh', (token: string) => refreshed.push(token));
    expect((await expired.query('SELECT COUNT() FROM Account')).totalSize).toBe(4100);
    expect(refreshed).toHaveLength(1);
  });

  test('follows pages by itself', async () => {
    const records = await connect().query('SELECT Id, Name FROM Account').run({ autoFetch: true, maxFetch: 10_000 });
    expect(new Set(records.records.map((record: { Id?: string }) => record.Id)).size).toBe(4100);
  });

  test('describes, writes, reads and deletes', async () => {
    const connection = connect();
    expect((await connection.describeGlobal()).sobjects.length).toBeGreaterThan(10);
    const { fields } = await connection.sobject('Contact').describe();
    expect(fields.find((field) => field.name === 'Email')?.type).toBe('email');
    const contacts = connection.sobject('Contact');
    const made = await contacts.create({ LastName: 'K' });
    expect(made.success).toBe(true);
    const id = made.id as string;
    await contacts.update({ Id: id, FirstName: 'Ann' });
    expect(await contacts.retrieve(id)).toMatchObject({ LastName: 'K', FirstName: 'Ann' });
    expect(await contacts.retrieve([id])).toMatchObject([{ Id: id }]);
    await contacts.destroy(id);
    await expect(contacts.retrieve(id)).rejects.toMatchObject({ errorCode: 'NOT_FOUND' });
    const many = await contacts.create(
      Array.from({ length: 250 }, (_, n) => ({ LastName: `m${n}` })),
      { allowRecursive: true },
    );
    expect(many.filter((result) => result.success)).toHaveLength(250);
  });

  test('upserts by external id', async () => {
    const accounts = connect().sobject('Account');
    const created = await accounts.upsert({ Name: 'u', Unique__c: 'u1' }, 'Unique__c');
    const updated = await accounts.upsert({ Name: 'v', Unique__c: 'u1' }, 'Unique__c');
    expect(updated.id).toBe(created.id);
    org.insert('Account', { Name: 'x', Ext__c: 'same' }, { Name: 'y', Ext__c: 'same' });
    await expect(accounts.upsert({ Name: 'z', Ext__c: 'same' }, 'Ext__c')).rejects.toMatchObject({
      errorCode: 'MULTIPLE_CHOICES',
    });
  });

  test('asks what was updated and deleted', async () => {
    const connection = connect();
    const now = org.emulator.org.clock.now();
    const [id] = org.insert('Lead', { LastName: 'l', Company: 'c' });
    const [gone] = org.insert('Lead', { LastName: 'g', Company: 'c' });
    org.emulator.org.write((transaction) => transaction.delete('Lead', gone as string));
    org.emulator.org.clock.advance(120_000);
    const [start, end] = [new Date(now - 3600_000).toISOString(), new Date(now + 60_000).toISOString()];
    expect((await connection.sobject('Lead').updated(start, end)).ids).toContain(id);
    expect((await connection.sobject('Lead').deleted(start, end)).deletedRecords.map((record) => record.id)).toContain(gone);
  });

  // Of these clients' Bulk reader only one page is dependable.
  test('reads by Bulk API 2.0', async () => {
    const connection = connect();
    connection.bulk2.pollInterval = 10;
    const stream = await connection.bulk2.query('SELECT Id, Name FROM Account');
    const records = (await stream.toArray()) as { Id: string }[];
    expect(new Set(records.map((record) => record.Id)).size).toBeGreaterThanOrEqual(4100);
  });
});
