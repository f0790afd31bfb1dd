import jsforceNode from '@jsforce/jsforce-node';
import jsforce from 'jsforce';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type IngestClient, startIngest } from './ingest-testing.ts';

// Public clients, unchanged, load by Bulk API 2.0 as they do into a real org, in the background and at their own pace.

describe.each([
  { name: 'jsforce', library: jsforce },
  { name: '@jsforce/jsforce-node', library: jsforceNode as unknown as typeof jsforce },
])('$name', ({ library }) => {
  let client: IngestClient;
  beforeAll(async () => {
    client = await startIngest({ ingest: { pace: 'background' } });
  });
  afterAll(() => client.org.emulator.close());

  const connect = () => {
    const { instanceUrl, accessToken } = client.org.emulator.credentials;
    const connection = new library.Connection({ instanceUrl, accessToken, version: '62.0' });
    connection.bulk2.pollInterval = 5;
    return connection;
  };

  test('loads and waits: what was refused and what was not', async () => {
    const records = Array.from({ length: 450 }, (_, n) => ({ LastName: n % 50 === 0 ? '' : `n"${n}",\né`, Phone: `${n}` }));
    const loaded = await connect().bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: records });
    const results = loaded as unknown as Record<keyof typeof loaded, Record<string, string>[]>;
    expect(results.successfulResults).toHaveLength(441);
    expect(results.unprocessedRecords).toEqual([]);
    expect(results.failedResults.map((row) => row.Phone).sort()).toEqual(
      records
        .filter((record) => record.LastName === '')
        .map((record) => record.Phone)
        .sort(),
    );
    expect(results.failedResults[0]?.sf__Error).toBe(
      'REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --',
    );
    const rows = client.select("SELECT Id, LastName, Phone FROM Contact WHERE LastName LIKE 'n\"%'");
    const byPhone = new Map(rows.map((row) => [row.Phone, row]));
    expect(rows).toHaveLength(441);
    for (const row of results.successfulResults) {
      expect(row).toMatchObject({
        sf__Created: 'true',
        sf__Id: byPhone.get(row.Phone)?.Id,
        LastName: byPhone.get(row.Phone)?.LastName,
      });
    }
  });

  test('step by step: open, upload, close, poll, results, delete', async () => {
    const { bulk2 } = connect();
    const upsert = async (input: Record<string, string | null>[]) => {
      const job = bulk2.createJob({ object: 'Account', operation: 'upsert', externalIdFieldName: 'Unique__c' });
      await job.open();
      await job.uploadData(input);
      await job.close();
      await job.poll(5, 10_000);
      const info = await job.check();
      const results = await job.getAllResults();
      await job.delete();
      return { info, results };
    };
    const first = await upsert([
      { Unique__c: 'a', Name: 'A', Phone: '1' },
      { Unique__c: 'b', Name: 'B', Phone: '2' },
    ]);
    expect(first.info).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: 2, numberRecordsFailed: 0 });
    const second = await upsert([{ Unique__c: 'a', Name: '', Phone: null }]);
    expect(second.results.successfulResults).toMatchObject([{ Unique__c: 'a', sf__Created: 'false' }]);
    expect(client.select("SELECT Name, Phone FROM Account WHERE Unique__c = 'a'")).toMatchObject([{ Name: 'A', Phone: null }]);
  });

  test('updates, deletes, hard deletes; a CSV as text', async () => {
    const { bulk2 } = connect();
    const ids = client.org.insert('Lead', { LastName: 'a', Company: 'c' }, { LastName: 'b', Company: 'c' });
    const updated = await bulk2.loadAndWaitForResults({
      object: 'Lead',
      operation: 'update',
      input: `Id,Company\n${ids[0]},changed\n`,
    });
    expect(updated.successfulResults).toMatchObject([{ sf__Id: ids[0], sf__Created: 'false' }]);
    const [first, second] = ids.map((Id) => [{ Id: Id as string }]);
    await bulk2.loadAndWaitForResults({ object: 'Lead', operation: 'delete', input: first! });
    await bulk2.loadAndWaitForResults({ object: 'Lead', operation: 'hardDelete', input: second! });
    const left = client.org.emulator.org.query('SELECT Id, Company, IsDeleted FROM Lead', { all: true });
    expect(left.page(0, 9, 'v62.0')).toMatchObject([{ Id: ids[0], Company: 'changed', IsDeleted: true }]);
  });

  test('aborts; learns why a job failed', async () => {
    const { bulk2 } = connect();
    const job = bulk2.createJob({ object: 'Contact', operation: 'insert' });
    await job.open();
    await job.abort();
    expect(job.getInfo().state).toBe('Aborted');
    const failing = bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: [{ Nothing: 'x' }] });
    await expect(failing).rejects.toThrow('InvalidBatch : Field name not found : Nothing');
  });
});
