import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CheckpointExpiredError,
  RateLimitedError,
  RequestRefusedError,
  SchemaChangedError,
  type Source,
  type SyncError,
  systemClock,
  TransientError,
  TruncatedReplyError,
} from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { readAll, rowsOfPage, signal, tampered, testOrg } from './fixture.ts';

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}

const bulk = { object: 'Contact', bulkAbove: 0, pageRows: 60 };

describe(`a full read ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Results for a Query Job; REST API Developer Guide, Query')}`, () => {
  // The engine may read by Bulk today and by REST tomorrow: a value spelled differently would be a change of every row. (P12)
  test.each(['Account', 'Contact', 'Opportunity', 'Case', 'Event'])(
    '%s: REST and Bulk yield the same records',
    async (object) => {
      await using org = await testOrg({ records: 400, seed: 3 });
      const byRest = await readAll(await org.open({ from: { object } }));
      const byBulk = await readAll(await org.open({ from: { object, bulkAbove: 0, pageRows: 17 } }));
      expect(byRest.size).toBe(await (await org.open({ from: { object } })).estimate(signal));
      expect(byBulk).toEqual(byRest);
    },
  );

  test('Bulk is used above the threshold, the job is deleted, and the calls are few (P8)', async () => {
    await using org = await testOrg({ records: 400 });
    const source = await org.open({ from: bulk });
    const records = await source.estimate(signal);
    org.emulator.requests.reset();
    expect((await readAll(source)).size).toBe(records);
    const { byKind, apiCalls } = org.emulator.requests.totals();
    expect(Object.keys(byKind).some((kind) => kind.startsWith('bulk'))).toBe(true);
    expect(org.emulator.requests.entries().at(-1)!.method).toBe('DELETE');
    expect(apiCalls).toBeLessThanOrEqual(Math.ceil(records! / 60) + 6);
    org.emulator.requests.reset();
    await readAll(await org.open({ from: { object: 'Contact', bulkAbove: records! } }));
    expect(Object.keys(org.emulator.requests.totals().byKind).some((kind) => kind.startsWith('bulk'))).toBe(false);
  });

  test.each([
    ['Bulk', bulk],
    ['REST', { object: 'Contact', bulkAbove: 1e9 }],
  ])('by %s: resumed after any page it yields the rest (P1)', async (_, from) => {
    await using org = await testOrg({ fill: { Contact: 4_300 } });
    const spec = { from: { ...from, pageRows: 1_000 }, fields: ['LastName'] };
    const source = await org.open(spec);
    const all = await readAll(source);
    const kept = new Set<string>();
    let pages = 0;
    for await (const page of source.readFull(null, signal)) {
      for (const row of await rowsOfPage(source, page)) kept.add(row.Id!);
      pages++;
      // A crash here: another process, another session, the position that was kept.
      const rest = await readFirst(await org.open(spec), page.position);
      expect([...rest].filter((id) => kept.has(id))).toEqual([]);
      if (kept.size < all.size) expect(rest.size).toBeGreaterThan(0);
      else expect(rest.size).toBe(0);
      if (kept.size === all.size) break;
    }
    expect(kept).toEqual(new Set(all.keys()));
    expect(pages).toBeGreaterThan(2);
  });

  test('records are read whole when startAt bounds them', async () => {
    await using org = await testOrg({ records: 200 });
    const all = await readAll(await org.open({ from: bulk }));
    const stamps = [...all.values()].map((row) => Date.parse(row.SystemModstamp!)).sort((a, b) => a - b);
    const startAtMs = stamps[Math.floor(stamps.length / 2)]!;
    const some = await readAll(await org.open({ from: bulk, startAtMs }));
    expect(some.size).toBe(stamps.filter((ms) => ms >= startAtMs).length);
    expect(some.size).toBeLessThan(all.size);
  });

  test('fields of parents come along, and are empty where there is no parent', async () => {
    await using org = await testOrg();
    const account = org.emulator.org.write((tx) => tx.insert('Account', { Name: 'Acme, "Inc"' })).id;
    org.emulator.org.write((tx) => {
      tx.insert('Contact', { LastName: 'with', AccountId: account });
      tx.insert('Contact', { LastName: 'without' });
    });
    for (const bulkAbove of [0, 1e9]) {
      const source = await org.open({ from: { object: 'contact', bulkAbove }, fields: ['lastname', 'account.name'] });
      expect(source.schema.fields.map((field) => field.name)).toEqual(['Id', 'SystemModstamp', 'LastName', 'Account.Name']);
      const rows = [...(await readAll(source)).values()].map((row) => [row.LastName, row['Account.Name']]);
      expect(rows.sort()).toEqual([
        ['with', 'Acme, "Inc"'],
        ['without', null],
      ]);
    }
  });
});

async function readFirst(source: Source, position: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const page of source.readFull(position, signal)) {
    for (const row of await rowsOfPage(source, page)) ids.add(row.Id!);
    // Not to the end: that would delete the job under the one who still reads it.
    break;
  }
  return ids;
}

describe(`a load is counted (P13) ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Results for a Query Job: Sforce-NumberOfRecords; numberRecordsProcessed of the job')}`, () => {
  const results = /\/results\?/;

  test('a result page cut at any byte is never taken as complete', async () => {
    await using org = await testOrg({ records: 60 });
    org.emulator.org.write((tx) => tx.insert('Contact', { LastName: 'the "last"', Description: 'ends in a quote"' }));
    const from = { ...bulk, pageRows: 10_000 };
    const fields = ['LastName', 'Email', 'Description'];
    let size = 0;
    await readAll(
      await org.open(
        { from, fields },
        {
          fetch: tampered(results, (bytes) => {
            size = bytes.length;
            return bytes;
          }),
        },
      ),
    );
    for (let length = 0; length < size; length += length > size - 60 || length < 40 ? 1 : 37) {
      const source = await org.open({ from, fields }, { fetch: tampered(results, (bytes) => bytes.subarray(0, length)) });
      expect(await errorOf(readAll(source)), `${length} of ${size} bytes`).toBeInstanceOf(TruncatedReplyError);
    }
  });

  test('so is one that a broken connection cuts, or whose count is wrong', async () => {
    await using org = await testOrg({ records: 300 });
    for (const fault of [
      { kind: 'drop', match: { path: /results/ }, params: { afterBytes: 3_000 } },
      { kind: 'truncate', match: { path: /results/ }, params: { afterBytes: 5_000 } },
      { kind: 'garbled-count', params: { add: 1 } },
      { kind: 'garbled-count', params: { add: -1 } },
      { kind: 'garbled-count', params: { value: '0' } },
    ] as const) {
      const id = org.emulator.faults.add(fault);
      const error = await errorOf(readAll(await org.open({ from: bulk })));
      expect(error instanceof TruncatedReplyError || error instanceof TransientError, `${JSON.stringify(fault)}: ${error}`).toBe(
        true,
      );
      org.emulator.faults.remove(id);
    }
  });

  test("a page that is missing at the end is missed by the job's own count", async () => {
    await using org = await testOrg({ records: 300 });
    const fetch = tampered(results, (bytes, headers) => {
      headers.set('sforce-locator', 'null');
      return bytes;
    });
    expect(await errorOf(readAll(await org.open({ from: bulk }, { fetch })))).toBeInstanceOf(TruncatedReplyError);
  });

  test('without a count of the page the count of the job is enough', async () => {
    await using org = await testOrg({ records: 300 });
    const uncounted = (rows: number) =>
      tampered(results, (bytes, headers) => {
        headers.delete('sforce-numberofrecords');
        // Whole rows are missing at the end of each page: no quote is open, nothing looks cut.
        const lines = bytes.toString().split('\n');
        return Buffer.from(`${lines.slice(0, lines.length - 1 - rows).join('\n')}\n`);
      });
    const spec = { from: bulk, fields: ['Email'] };
    const all = await readAll(await org.open(spec));
    expect((await readAll(await org.open(spec, { fetch: uncounted(0) }))).size).toBe(all.size);
    expect(await errorOf(readAll(await org.open(spec, { fetch: uncounted(1) })))).toBeInstanceOf(TruncatedReplyError);
  });

  test('a REST reply cut at any byte, or short of a record, is refused', async () => {
    await using org = await testOrg({ records: 30 });
    const spec = { from: { object: 'Contact' }, fields: ['LastName'] };
    let size = 0;
    await readAll(
      await org.open(spec, {
        fetch: tampered(/composite/, (bytes) => {
          size = Math.max(size, bytes.length);
          return bytes;
        }),
      }),
    );
    for (let length = 0; length < size; length += 61) {
      const source = await org.open(spec, {
        fetch: tampered(/composite/, (bytes) => (bytes.length === size ? bytes.subarray(0, length) : bytes)),
      });
      const error = await errorOf(readAll(source));
      expect(error instanceof TruncatedReplyError || error instanceof TransientError, `${length}: ${error}`).toBe(true);
    }
    const robbed = tampered(/composite/, (bytes) => {
      const reply = JSON.parse(bytes.toString());
      for (const part of reply.compositeResponse) part.body.records?.pop();
      return Buffer.from(JSON.stringify(reply));
    });
    expect(await errorOf(readAll(await org.open(spec, { fetch: robbed })))).toBeInstanceOf(TruncatedReplyError);
  });
});

describe(`what goes wrong is named for what to do next ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses; the texts are from reports')}`, () => {
  test('a job that fails, is aborted, or is gone', async () => {
    await using org = await testOrg({ records: 400 });
    const source = await org.open({ from: bulk });
    const failed = org.emulator.faults.add({ kind: 'job-failed', params: { errorMessage: 'Retried more than fifteen times' } });
    const error = await errorOf(readAll(source));
    expect(error).toBeInstanceOf(TransientError);
    expect(String(error)).toContain('Retried more than fifteen times');
    org.emulator.faults.remove(failed);
    const aborted = org.emulator.faults.add({ kind: 'job-aborted' });
    expect(String(await errorOf(readAll(source)))).toContain('aborted');
    org.emulator.faults.remove(aborted);
    const gone = JSON.stringify({ by: 'bulk', job: '750000000000001AAA', locator: 'abc', rows: 10, done: false });
    expect(await errorOf(readAll(source, gone))).toBeInstanceOf(CheckpointExpiredError);
    expect(await errorOf(readAll(source, 'nonsense'))).toBeInstanceOf(CheckpointExpiredError);
    let position = '';
    for await (const page of source.readFull(null, signal)) {
      await rowsOfPage(source, page);
      position = page.position;
      break;
    }
    org.emulator.faults.add({ kind: 'expired-locator' });
    expect(await errorOf(readAll(source, position))).toBeInstanceOf(CheckpointExpiredError);
  });

  test.each([
    ['an unknown object', { from: { object: 'Kontact' } }, /Kontact/, /spelling/i],
    ['an unknown field', { from: { object: 'Contact' }, fields: ['E_mail'] }, /no field E_mail/, /Did you mean Email/],
    ['an unknown field in the filter', { from: { object: 'Contact' }, where: 'Nope__c = 1' }, /Nope__c/, /permission/],
    ['a filter that is no SOQL', { from: { object: 'Contact' }, where: 'LastName =' }, /MALFORMED_QUERY/, /quotes/],
  ])('%s', async (_, spec, message, hint) => {
    await using org = await testOrg({ records: 5 });
    const error = await errorOf(org.open(spec).then(readAll));
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect((error as Error).message).toMatch(message);
    expect((error as SyncError).hint).toMatch(hint);
  });

  test('a field that is gone since describe: the run fails, and the next one describes again', async () => {
    await using org = await testOrg({ records: 5 });
    const source = await org.open(
      { from: { object: 'Contact' } },
      {
        fetch: tampered(/composite/, (bytes) => {
          const reply = JSON.parse(bytes.toString());
          for (const part of reply.compositeResponse) {
            part.httpStatusCode = 400;
            part.body = [
              {
                errorCode: 'INVALID_FIELD',
                message: "\nSELECT Id\n ^\nERROR at Row:1:Column:8\nNo such column 'Email' on entity 'Contact'. If you",
              },
            ];
          }
          return Buffer.from(JSON.stringify(reply));
        }),
      },
    );
    const error = await errorOf(source.estimate(signal));
    expect(error).toBeInstanceOf(SchemaChangedError);
    expect(String(error)).toContain('Contact.Email');
  });

  test('limits, outages, lost connections', async () => {
    await using org = await testOrg({ records: 5 });
    const source = await org.open({ from: { object: 'Contact' } });
    const daily = org.emulator.faults.add({ kind: 'limit-exceeded' });
    const limited = await errorOf(source.estimate(signal));
    expect(limited).toBeInstanceOf(RateLimitedError);
    expect((limited as RateLimitedError).retryAfterMs).toBeGreaterThan(60_000);
    org.emulator.faults.remove(daily);
    const concurrent = org.emulator.faults.add({
      kind: 'limit-exceeded',
      params: { message: 'ConcurrentPerOrgLongTxn Limit exceeded.' },
    });
    expect(((await errorOf(source.estimate(signal))) as RateLimitedError).retryAfterMs).toBeLessThanOrEqual(60_000);
    org.emulator.faults.remove(concurrent);
    const page = org.emulator.faults.add({
      kind: 'unavailable',
      params: { status: 503, body: '<html>Down for maintenance</html>' },
    });
    expect(await errorOf(source.estimate(signal))).toBeInstanceOf(TransientError);
    org.emulator.faults.remove(page);
    org.emulator.faults.add({ kind: 'unavailable', match: { times: 2 } });
    expect(await source.estimate(signal)).toBeGreaterThanOrEqual(0);
    const nobody = org.connect({ fetch: ((_, init) => fetch('http://127.0.0.1:2/', init)) as typeof fetch });
    expect(await nobody.check()).toMatchObject([{ severity: 'error', message: expect.stringContaining('cannot reach') }]);
  });

  test('a reply that never comes is given up after the timeout', async () => {
    await using org = await testOrg({ records: 5 });
    let asking = false;
    const never: typeof fetch = (_, init) =>
      new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason)));
    const source = await org.open(
      { from: { object: 'Contact' } },
      {
        fetch: (input, init) => (asking ? never(input, init) : fetch(input, init)),
        // Only the long wait for a reply passes at once.
        clock: {
          now: Date.now,
          sleep: (ms, abort) => (asking && ms === 150_000 ? Promise.resolve() : systemClock.sleep(ms, abort)),
        },
      },
    );
    asking = true;
    const error = await errorOf(source.estimate(signal));
    expect(error).toBeInstanceOf(TransientError);
    expect(String(error)).toContain('no reply within 150 s');
  });

  test("the caller's abort ends a read at once, with the caller's reason", async () => {
    await using org = await testOrg({ records: 300 });
    const source = await org.open({ from: bulk });
    const abort = new AbortController();
    const reason = new Error('stopped by the user');
    const read = async () => {
      for await (const page of source.readFull(null, abort.signal)) {
        await rowsOfPage(source, page);
        abort.abort(reason);
      }
    };
    expect(await errorOf(read())).toBe(reason);
  });
});

describe(`check and discover ${evidence('documented', 'REST API Developer Guide, Limits, Describe Global')}`, () => {
  test('a good login is ready, a bad one is a problem with a reason and no exception', async () => {
    await using org = await testOrg({ records: 5 });
    expect(await org.connect().check()).toEqual([]);
    const bad = org.connect({}, { auth: { ...org.auth, clientSecret: 'wrong secret' } });
    const problems = await bad.check();
    expect(problems).toMatchObject([{ place: 'connections.crm', severity: 'error' }]);
    expect(JSON.stringify(problems)).not.toContain('wrong secret');
    expect(await org.connect().discover!()).toEqual(expect.arrayContaining(['Account', 'Contact', 'Opportunity']));
  });
});

// 800 long names make a URL of over 16 KB, which the org refuses: every query travels in a body.
test(`an object of 800 fields is read by REST and by Bulk ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses: 414')}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wide-'));
  try {
    const object = join(folder, 'objects', 'Wide__c');
    await mkdir(join(object, 'fields'), { recursive: true });
    const xml = (kind: string, body: string) =>
      `<?xml version="1.0" encoding="UTF-8"?><${kind} xmlns="http://soap.sforce.com/2006/04/metadata">${body}</${kind}>`;
    const name = '<nameField><label>Name</label><type>Text</type></nameField>';
    await writeFile(
      join(object, 'Wide__c.object-meta.xml'),
      xml(
        'CustomObject',
        `<label>Wide</label><pluralLabel>Wides</pluralLabel>${name}<deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel>`,
      ),
    );
    const names = Array.from({ length: 800 }, (_, i) => `A_Rather_Long_Name_Of_A_Field_${i}__c`);
    for (const field of names) {
      const body = `<fullName>${field}</fullName><label>${field.slice(-10)}</label><length>20</length><type>Text</type>`;
      await writeFile(join(object, 'fields', `${field}.field-meta.xml`), xml('CustomField', body));
    }
    await using org = await testOrg({ source: folder });
    const id = org.emulator.org.write((tx) => tx.insert('Wide__c', { Name: 'w', [names[799]!]: 'last' })).id;
    for (const bulkAbove of [0, 1e9]) {
      const source = await org.open({ from: { object: 'Wide__c', bulkAbove } });
      const rows = await readAll(source);
      expect(rows.get(id)?.[names[799]!]).toBe('last');
      expect((await source.readKeys!([id], signal))[0]!.op).toBe('upsert');
    }
    expect(Math.max(...org.emulator.requests.entries().map((entry) => entry.url.length))).toBeLessThan(1_000);
  } finally {
    await rm(folder, { recursive: true });
  }
});
