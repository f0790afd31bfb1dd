import { CheckpointExpiredError, TruncatedReplyError } from '@tidemark/core';
import { createClock } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { readAll, readChanges, rowsOfPage, signal, type TestOrg, tampered, testOrg } from './fixture.ts';

const minute = 60_000;
const start = Date.parse('2026-03-02T10:00:20Z');
const slim = { from: { object: 'Contact' }, fields: ['LastName'] };

async function frozenOrg(): Promise<TestOrg> {
  const clock = createClock(start);
  clock.freeze(start);
  return testOrg({ clock });
}

const insert = (org: TestOrg, name: string) => org.emulator.org.write((tx) => tx.insert('Contact', { LastName: name })).id;
const namesOf = ({ changes }: { changes: readonly { row: { LastName?: unknown } | null }[] }) =>
  changes.map((change) => change.row?.LastName);

interface Part {
  body: Record<string, unknown> | object[];
  httpStatusCode: number;
}

/** Answers of getUpdated are changed on their way; those to queries stay. */
const getUpdatedSays = (change: (part: Part) => void) =>
  tampered(/composite/, (bytes) => {
    const reply = JSON.parse(bytes.toString()) as { compositeResponse: Part[] };
    for (const part of reply.compositeResponse) if ('latestDateCovered' in part.body) change(part);
    return Buffer.from(JSON.stringify(reply));
  });

describe('the bounds of a delta (P1)', () => {
  // Without getUpdated nobody says what is settled: what commits within the overlap has to be met by looking back.
  test('of an object without a settled bound the overlap is read again', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    const unsettled = tampered(/describe/, (bytes) =>
      Buffer.from(bytes.toString().replace('"replicateable":true', '"replicateable":false')),
    );
    const source = await org.open(slim, { fetch: unsettled });
    let checkpoint = (await source.mark(signal))!;
    const tx = org.emulator.org.begin();
    tx.insert('Contact', { LastName: 'late' });
    for (let round = 0; round < 5; round++) {
      clock.advance(10 * minute);
      insert(org, `other ${round}`);
      ({ checkpoint } = await readChanges(source, checkpoint));
    }
    tx.commit();
    clock.advance(minute);
    expect(namesOf(await readChanges(source, checkpoint))).toContain('late');
  });

  test('a latestDateCovered in the future does not settle what has not happened yet', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    const ahead = getUpdatedSays((part) => {
      (part.body as Record<string, unknown>).latestDateCovered = '2026-03-02T12:00:00.000+0000';
    });
    const source = await org.open(slim, { fetch: ahead });
    let checkpoint = (await source.mark(signal))!;
    for (let round = 0; round < 5; round++) {
      clock.advance(5 * minute);
      insert(org, `round ${round}`);
      const delta = await readChanges(source, checkpoint);
      expect(namesOf(delta)).toContain(`round ${round}`);
      checkpoint = delta.checkpoint;
    }
  });

  // A transaction that commits between the two would be covered by the one and missing from the other.
  test('getUpdated is answered before the query is', async () => {
    await using org = await frozenOrg();
    const asked: { collateSubrequests: boolean; urls: string[] }[] = [];
    const source = await org.open(slim, {
      fetch: async (input, init) => {
        if (String(input).endsWith('/composite')) {
          const { collateSubrequests, compositeRequest } = JSON.parse(String(init!.body));
          asked.push({ collateSubrequests, urls: compositeRequest.map((part: { url: string }) => part.url) });
        }
        return fetch(input, init);
      },
    });
    const mark = (await source.mark(signal))!;
    org.emulator.org.clock.advance(5 * minute);
    await readChanges(source, mark);
    expect(asked.at(-1)).toEqual({
      collateSubrequests: false,
      urls: [expect.stringContaining('/updated/'), expect.stringContaining('/queryAll')],
    });
  });

  test('where getUpdated names too many, nothing is settled by it', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    let refuses = false;
    const limited = getUpdatedSays((part) => {
      if (!refuses) return;
      part.httpStatusCode = 400;
      part.body = [{ errorCode: 'EXCEEDED_ID_LIMIT', message: 'too many' }];
    });
    const source = await org.open(slim, { fetch: limited });
    let checkpoint = (await source.mark(signal))!;
    const tx = org.emulator.org.begin();
    tx.insert('Contact', { LastName: 'late' });
    refuses = true;
    for (let round = 0; round < 10; round++) {
      clock.advance(5 * minute);
      insert(org, `other ${round}`);
      ({ checkpoint } = await readChanges(source, checkpoint));
    }
    refuses = false;
    tx.commit();
    const late: unknown[] = [];
    for (let round = 0; round < 10; round++) {
      clock.advance(5 * minute);
      const delta = await readChanges(source, checkpoint);
      late.push(...namesOf(delta));
      checkpoint = delta.checkpoint;
    }
    expect(late).toContain('late');
  });
});

describe('a load is counted page by page (P13)', () => {
  const results = /\/results\?/;
  const bulk = { object: 'Contact', bulkAbove: 0, pageRows: 40 };

  // Found only by the job's total it would be too late: an interrupted load trusts the pages that it has kept.
  test('a page that lacks a row is refused itself, not at the end', async () => {
    await using org = await testOrg({ records: 300 });
    const lacking = tampered(results, (bytes) => Buffer.from(`${bytes.toString().split('\n').slice(0, -2).join('\n')}\n`));
    const source = await org.open({ from: bulk, fields: ['Email'] }, { fetch: lacking });
    for await (const page of source.readFull(null, signal)) {
      await expect(rowsOfPage(source, page)).rejects.toThrow(TruncatedReplyError);
      return;
    }
    throw new Error('no page came');
  });

  test('short pages of a REST read are not taken for the last', async () => {
    await using org = await testOrg({ records: 300 });
    const spec = { from: { object: 'Contact' }, fields: ['LastName'] };
    const all = await readAll(await org.open(spec));
    org.emulator.faults.add({ kind: 'short-page', params: { records: 30 } });
    expect(await readAll(await org.open(spec))).toEqual(all);
  });

  async function interrupted(org: TestOrg, fetch: typeof globalThis.fetch) {
    const source = await org.open({ from: bulk, fields: ['Email'] }, { fetch });
    for await (const page of source.readFull(null, signal)) {
      await rowsOfPage(source, page);
      return { source, position: page.position };
    }
    throw new Error('no page came');
  }

  // Otherwise every run would go on from there, find the same, and fail until the job has expired after a week.
  test('a resumed job whose pages were not counted is given up for a new one', async () => {
    await using org = await testOrg({ records: 300 });
    const uncounted = tampered(results, (bytes, headers) => {
      headers.delete('sforce-numberofrecords');
      return bytes;
    });
    const { source, position } = await interrupted(org, uncounted);
    await expect(readAll(source, position)).rejects.toThrow(CheckpointExpiredError);
  });

  test('a resumed job that has lost its last pages is given up for a new one', async () => {
    await using org = await testOrg({ records: 300 });
    let pages = 0;
    const ending = tampered(results, (bytes, headers) => {
      if (++pages > 1) headers.set('sforce-locator', 'null');
      return bytes;
    });
    const { source, position } = await interrupted(org, ending);
    await expect(readAll(source, position)).rejects.toThrow(CheckpointExpiredError);
  });
});

// A redirect may lead anywhere, and the request carries the token.                                                      (P10)
test('no request follows a redirect', async () => {
  await using org = await testOrg({ records: 30 });
  const modes = new Set<unknown>();
  const watched: typeof fetch = (input, init) => {
    modes.add(init?.redirect);
    return fetch(input, init);
  };
  await readAll(await org.open({ from: { object: 'Contact' } }, { fetch: watched }));
  await readAll(await org.open({ from: { object: 'Contact', bulkAbove: 0 } }, { fetch: watched }));
  expect([...modes]).toEqual(['manual']);
});
