import { type Change, CheckpointExpiredError, NO_STAMP, type Source, TransientError, TruncatedReplyError } from '@tidemark/core';
import { createClock, evidence, type Transaction } from '@tidemark/emulator';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAll, readChanges, signal, type TestOrg, tampered, testOrg } from './fixture.ts';

const minute = 60_000;
const start = Date.parse('2026-03-02T10:00:20Z');
const slim = { from: { object: 'Contact' }, fields: ['LastName', 'Email'] };

/** An org whose time stands still unless a test moves it. */
async function frozenOrg(records = 0): Promise<TestOrg> {
  const clock = createClock(start);
  clock.freeze(start);
  return testOrg({ records, clock });
}

const insert = (org: TestOrg, name: string) => org.emulator.org.write((tx) => tx.insert('Contact', { LastName: name })).id;

/** A target as plain as can be: old never overwrites new (P3); what has no stamp always applies. */
function apply(copy: Map<string, Change>, changes: readonly Change[]): void {
  for (const change of changes) {
    const known = copy.get(change.key);
    if (known === undefined || change.stampMs === NO_STAMP || known.stampMs <= change.stampMs) copy.set(change.key, change);
  }
}

const living = (copy: Map<string, Change>) =>
  new Map([...copy.values()].flatMap((change) => (change.row === null ? [] : [[change.key, change.row.LastName]])));

async function truth(source: Source) {
  return new Map([...(await readAll(source))].map(([id, row]) => [id, row.LastName]));
}

describe(`what a delta costs ${evidence('documented', 'REST API Developer Guide, Composite: one call with all of its parts; sObject Get Updated: seconds are ignored')}`, () => {
  test('nothing changed: one API call, and nothing to write (P8)', async () => {
    await using org = await frozenOrg(40);
    const source = await org.open({ from: { object: 'Contact' } });
    const mark = (await source.mark(signal))!;
    org.emulator.org.clock.advance(5 * minute);
    await readChanges(source, mark);
    org.calls();
    const { batches } = await readChanges(source, mark);
    expect(batches).toBe(0);
    expect(org.calls()).toBe(1);
  });

  test('an idle checkpoint is written anew once it is an hour old', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    org.emulator.org.clock.advance(59 * minute);
    expect((await readChanges(source, mark)).batches).toBe(0);
    org.emulator.org.clock.advance(2 * minute);
    const { batches, changes, checkpoint } = await readChanges(source, mark);
    expect([batches, changes.length]).toEqual([1, 0]);
    expect((await source.describeCheckpoint!(checkpoint)).settled).toBe('2026-03-02T11:01:00.000Z');
  });

  test("getUpdated is asked once a minute of the org's time, and settled rows are not read again", async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    let checkpoint = (await source.mark(signal))!;
    insert(org, 'one');
    const asked = () => org.emulator.requests.entries().filter((entry) => entry.subrequests.length > 1).length;
    org.emulator.requests.reset();
    let read = 0;
    for (let second = 0; second < 300; second += 10) {
      const delta = await readChanges(source, checkpoint);
      checkpoint = delta.checkpoint;
      if (second > 200) read += delta.changes.length;
      org.emulator.org.clock.advance(10_000);
    }
    expect(asked()).toBeLessThanOrEqual(5);
    expect(read).toBe(0);
    expect(org.emulator.requests.totals().apiCalls).toBe(30);
  });
});

describe(`late commits (P1) ${evidence('assumed', 'that latestDateCovered stays behind a long transaction is documented (REST API Developer Guide, sObject Get Updated); by how much is not')}`, () => {
  // Records are stamped when written and seen when committed, up to half an hour later here, while deltas go on.
  // The two ways in which it is usually done lose records in the same world: the own clock, and a fixed lookback.
  test('transactions held open from 0 s to 30 min across deltas: nothing is lost', async () => {
    let lostByLookback = 0;
    let lostByClock = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.nat(40 * 60), open: fc.nat(30 * 60), size: fc.integer({ min: 1, max: 4 }) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.constantFrom(10, 45, 170, 700),
        async (writers, everySeconds) => {
          await using org = await frozenOrg();
          const { clock } = org.emulator.org;
          const source = await org.open(slim);
          let checkpoint = (await source.mark(signal))!;
          const copy = new Map<string, Change>();
          const lookback = new Set<string>();
          const ownClock = new Set<string>();
          let lastAt = clock.now();
          const open: { closeAt: number; tx: Transaction }[] = [];
          let nextPoll = 0;
          for (let second = 0; second <= 75 * 60; second += 5) {
            clock.freeze(start + second * 1000);
            for (const writer of writers.filter(({ at }) => at >= second && at < second + 5)) {
              const tx = org.emulator.org.begin();
              for (let i = 0; i < writer.size; i++) tx.insert('Contact', { LastName: `at ${writer.at}` });
              open.push({ closeAt: second + writer.open, tx });
            }
            for (const item of open.splice(0)) {
              if (item.closeAt <= second) item.tx.commit();
              else open.push(item);
            }
            if (second < nextPoll) continue;
            nextPoll = second + everySeconds;
            const delta = await readChanges(source, checkpoint);
            apply(copy, delta.changes);
            checkpoint = delta.checkpoint;
            const since = (ms: number) => `SELECT Id FROM Contact WHERE SystemModstamp >= ${new Date(ms).toISOString()}`;
            for (const row of org.emulator.org.query(since(lastAt - 10_000)).page(0, 2000, 'v62.0'))
              lookback.add((row as { Id: string }).Id);
            for (const row of org.emulator.org.query(since(lastAt)).page(0, 2000, 'v62.0'))
              ownClock.add((row as { Id: string }).Id);
            lastAt = clock.now();
          }
          const expected = await truth(source);
          expect(living(copy)).toEqual(expected);
          lostByLookback += expected.size - lookback.size;
          lostByClock += expected.size - ownClock.size;
        },
      ),
      { numRuns: 12, seed: 7 },
    );
    expect(lostByLookback).toBeGreaterThan(0);
    expect(lostByClock).toBeGreaterThan(0);
  });

  test('a transaction that was open while the full read ran is found by its delta', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    const tx = org.emulator.org.begin();
    tx.insert('Contact', { LastName: 'late' });
    clock.advance(90 * minute);
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    expect((await readAll(source)).size).toBe(0);
    tx.commit();
    clock.advance(2 * minute);
    expect((await readChanges(source, mark)).changes.map((change) => change.row?.LastName)).toEqual(['late']);
  });

  // Should the bound be the transaction's start to the millisecond: the stamp of what it writes is that second's beginning.
  test('a record stamped in the very second in which its transaction began', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    const start20 = '"latestDateCovered":"2026-03-02T10:00:20.';
    const precise = tampered(/composite/, (bytes) => Buffer.from(bytes.toString().replace(`${start20}000`, `${start20}700`)));
    const source = await org.open(slim, { fetch: precise });
    clock.advance(700);
    let checkpoint = (await source.mark(signal))!;
    const tx = org.emulator.org.begin();
    tx.insert('Contact', { LastName: 'late' });
    for (let i = 0; i < 10; i++) {
      clock.advance(3 * minute);
      insert(org, `other ${i}`);
      ({ checkpoint } = await readChanges(source, checkpoint));
    }
    tx.commit();
    clock.advance(minute);
    expect((await readChanges(source, checkpoint)).changes.map((change) => change.row?.LastName)).toContain('late');
  });

  test('settled does not move while a transaction is open, and what is shown says so', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    const tx = org.emulator.org.begin();
    tx.insert('Contact', { LastName: 'late' });
    let checkpoint = mark;
    for (let i = 0; i < 20; i++) {
      clock.advance(3 * minute);
      insert(org, `other ${i}`);
      ({ checkpoint } = await readChanges(source, checkpoint));
    }
    expect(source.describeCheckpoint!(checkpoint)).toMatchObject({
      settled: '2026-03-02T10:00:20.000Z',
      'settled lags by': '3600 s',
    });
    tx.commit();
    clock.advance(minute);
    const delta = await readChanges(source, checkpoint);
    expect(delta.changes.map((change) => change.row?.LastName)).toContain('late');
    expect((await source.describeCheckpoint!(delta.checkpoint)).settled).toBe('2026-03-02T11:01:00.000Z');
  });

  test.each([-3 * 60 * minute, -90_000, 90_000, 3 * 60 * minute])(
    'a Date header that is off by %i ms loses nothing',
    async (skewMs) => {
      await using org = await frozenOrg();
      const { clock } = org.emulator.org;
      clock.skewMs = skewMs;
      const source = await org.open(slim);
      let checkpoint = (await source.mark(signal))!;
      const copy = new Map<string, Change>();
      for (let round = 0; round < 30; round++) {
        insert(org, `round ${round}`);
        const tx = org.emulator.org.begin();
        tx.insert('Contact', { LastName: `late ${round}` });
        clock.advance(20_000);
        const delta = await readChanges(source, checkpoint);
        apply(copy, delta.changes);
        checkpoint = delta.checkpoint;
        tx.commit();
      }
      clock.advance(2 * minute);
      apply(copy, (await readChanges(source, checkpoint)).changes);
      expect(living(copy)).toEqual(await truth(source));
    },
  );
});

describe(`pages (P1) ${evidence('documented', 'SOQL Reference, ORDER BY and LIMIT; Object Reference, System Fields: SystemModstamp in whole seconds')}`, () => {
  // A mass update gives one second to tens of thousands of records: the page border falls among equals.
  test('50,000 equal stamps are read once each across page borders', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    org.emulator.org.load(
      'Contact',
      Array.from({ length: 50_000 }, (_, i) => ({ LastName: `n${i}` })),
    );
    const { changes, batches } = await readChanges(source, mark);
    expect(changes).toHaveLength(50_000);
    expect(new Set(changes.map((change) => change.key)).size).toBe(50_000);
    expect(new Set(changes.map((change) => change.stampMs)).size).toBe(1);
    expect(batches).toBe(25);
  });

  test('a crash after any batch repeats at most one page and skips nothing', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    org.emulator.org.load(
      'Contact',
      Array.from({ length: 9_000 }, (_, i) => ({ LastName: `n${i}` })),
    );
    for (let dieAfter = 1; dieAfter <= 4; dieAfter++) {
      const kept = new Set<string>();
      let checkpoint = mark;
      let batches = 0;
      for await (const batch of source.readDelta!(mark, signal)) {
        for (const change of batch.changes) kept.add(change.key);
        checkpoint = batch.checkpoint!;
        if (++batches === dieAfter) break;
      }
      const another = await org.open(slim);
      let first = true;
      for await (const batch of another.readDelta!(checkpoint, signal)) {
        if (first) expect(batch.changes.filter((change) => kept.has(change.key))).toEqual([]);
        first = false;
        for (const change of batch.changes) kept.add(change.key);
      }
      expect(kept.size).toBe(9_000);
    }
  });

  test('records that change while pages are read are found with their last values', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    org.emulator.org.load(
      'Contact',
      Array.from({ length: 7_000 }, (_, i) => ({ LastName: `n${i}` })),
    );
    const ids = [...(await readAll(source)).keys()];
    const copy = new Map<string, Change>();
    let checkpoint = mark;
    let page = 0;
    for await (const batch of source.readDelta!(mark, signal)) {
      apply(copy, batch.changes);
      checkpoint = batch.checkpoint!;
      org.emulator.org.clock.advance(1000);
      const at = page++;
      org.emulator.org.write((tx) => {
        for (const id of [ids[at]!, ids[3_000 + at]!, ids[6_990 + at]!]) tx.update('Contact', id, { LastName: `changed ${at}` });
        tx.delete('Contact', ids[5_000 + at]!);
      });
    }
    apply(copy, (await readChanges(source, checkpoint)).changes);
    expect(living(copy)).toEqual(await truth(source));
  });

  test('short pages and cut replies are seen for what they are (P13)', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    org.emulator.org.load(
      'Contact',
      Array.from({ length: 500 }, (_, i) => ({ LastName: `n${i}` })),
    );
    const short = org.emulator.faults.add({ kind: 'short-page', params: { records: 120 } });
    expect(new Set((await readChanges(source, mark)).changes.map((change) => change.key)).size).toBe(500);
    org.emulator.faults.remove(short);
    for (const afterBytes of [0, 1, 400, 5_000, 20_000]) {
      const cut = org.emulator.faults.add({ kind: 'truncate', params: { afterBytes } });
      const error: unknown = await readChanges(source, mark).catch((caught: unknown) => caught);
      expect(error instanceof TruncatedReplyError || error instanceof TransientError, `${afterBytes}: ${error}`).toBe(true);
      org.emulator.faults.remove(cut);
    }
  });
});

describe(`deletes (P4) ${evidence('assumed', 'REST API Developer Guide, QueryAll; that an undelete moves SystemModstamp is not documented')}`, () => {
  test('soft deletes, undeletes and records that leave the filter, whatever happens between two deltas', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fc.tuple(fc.constantFrom('leave', 'enter', 'delete', 'undelete', 'touch'), fc.nat(7)), { maxLength: 6 }),
          { minLength: 1, maxLength: 4 },
        ),
        fc.constantFrom(
          "Title = 'in'",
          "Title = 'in' OR Title = 'always'",
          "Title = 'in' AND AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'x')",
        ),
        async (rounds, where) => {
          await using org = await frozenOrg();
          const { clock } = org.emulator.org;
          const ids = Array.from(
            { length: 8 },
            (_, i) => org.emulator.org.write((tx) => tx.insert('Contact', { LastName: `n${i}`, Title: i % 2 ? 'in' : 'out' })).id,
          );
          const gone = new Set<string>();
          const source = await org.open({ ...slim, where });
          let checkpoint = (await source.mark(signal))!;
          const copy = new Map<string, Change>();
          for (const row of (await readAll(source)).values()) {
            copy.set(row.Id!, { op: 'upsert', key: row.Id!, row, stampMs: Date.parse(row.SystemModstamp!) });
          }
          for (const round of rounds) {
            clock.advance(7_000);
            for (const [action, index] of round) {
              const id = ids[index]!;
              if (gone.has(id) !== (action === 'undelete')) continue;
              org.emulator.org.write((tx) => {
                if (action === 'delete') tx.delete('Contact', id);
                else if (action === 'undelete') tx.undelete('Contact', id);
                else
                  tx.update(
                    'Contact',
                    id,
                    action === 'touch' ? { Email: `m${clock.now()}@example.com` } : { Title: action === 'enter' ? 'in' : 'out' },
                  );
              });
              if (action === 'delete') gone.add(id);
              else gone.delete(id);
            }
            const delta = await readChanges(source, checkpoint);
            apply(copy, delta.changes);
            checkpoint = delta.checkpoint;
          }
          clock.advance(2 * minute);
          apply(copy, (await readChanges(source, checkpoint)).changes);
          expect(living(copy)).toEqual(await truth(source));
        },
      ),
      { numRuns: 25 },
    ));

  test('a record that left the filter and was deleted then, between two deltas', async () => {
    for (const where of ["Title = 'in'", "Title = 'in' AND AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'x')"]) {
      await using org = await frozenOrg();
      const id = org.emulator.org.write((tx) => tx.insert('Contact', { LastName: 'n', Title: 'in' })).id;
      const source = await org.open({ ...slim, where });
      const mark = (await source.mark(signal))!;
      org.emulator.org.clock.advance(5 * minute);
      org.emulator.org.write((tx) => tx.update('Contact', id, { Title: 'out' }));
      org.emulator.org.write((tx) => tx.delete('Contact', id));
      org.emulator.org.clock.advance(minute);
      expect((await readChanges(source, mark)).changes).toMatchObject([{ op: 'delete', key: id }]);
    }
  });

  test('a crash between the pages and the records that left the filter forgets none of these', async () => {
    await using org = await frozenOrg();
    const { clock } = org.emulator.org;
    const spec = { ...slim, where: "Title = 'in'" };
    const id = org.emulator.org.write((tx) => tx.insert('Contact', { LastName: 'leaves', Title: 'in' })).id;
    const source = await org.open(spec);
    const mark = (await source.mark(signal))!;
    clock.advance(5 * minute);
    org.emulator.org.load(
      'Contact',
      Array.from({ length: 4_100 }, (_, i) => ({ LastName: `n${i}`, Title: 'in' })),
    );
    org.emulator.org.write((tx) => tx.update('Contact', id, { Title: 'out' }));
    for (let dieAfter = 1; dieAfter <= 3; dieAfter++) {
      clock.advance(5 * minute);
      let checkpoint = mark;
      let batches = 0;
      let told = false;
      for await (const batch of source.readDelta!(mark, signal)) {
        checkpoint = batch.checkpoint!;
        told ||= batch.changes.some((change) => change.op === 'delete');
        if (++batches === dieAfter) break;
      }
      expect(told).toBe(false);
      clock.advance(5 * minute);
      const rest = await readChanges(await org.open(spec), checkpoint);
      expect(rest.changes).toContainEqual(expect.objectContaining({ op: 'delete', key: id }));
    }
  });

  test('records by id: those that match, and deletes for those that do not, are deleted or never were', async () => {
    await using org = await frozenOrg();
    const [kept, left, deleted] = ['kept', 'left', 'deleted'].map((name) => insert(org, name)) as [string, string, string];
    org.emulator.org.write((tx) => tx.delete('Contact', deleted));
    const source = await org.open({ ...slim, where: "LastName != 'left'" });
    const keys = [deleted, kept.slice(0, 15), left, '003000000000000AAA', 'no id'];
    const changes = await source.readKeys!(keys, signal);
    expect(changes.map((change) => [change.op, change.key])).toEqual([
      ['delete', deleted],
      ['upsert', kept.slice(0, 15)],
      ['delete', left],
      ['delete', '003000000000000AAA'],
      ['delete', 'no id'],
    ]);
    // Their own stamp where they can be read, and none where not: a record that was only hidden comes back with its old one (P12).
    const own = Math.floor(start / 1000) * 1000;
    expect(changes.map((change) => change.stampMs)).toEqual([own, own, own, NO_STAMP, NO_STAMP]);
  });

  test('thousands of ids go in few calls', async () => {
    await using org = await frozenOrg();
    const ids = Array.from({ length: 2_500 }, (_, i) => `003${String(i).padStart(12, '0')}`);
    const source = await org.open(slim);
    org.calls();
    expect(await source.readKeys!(ids, signal)).toHaveLength(2_500);
    expect(org.calls()).toBe(3);
  });
});

describe(`checkpoints ${evidence('documented', 'Salesforce Help, Recycle Bin: 15 days; REST API Developer Guide, sObject Get Updated: 30 days')}`, () => {
  test('one older than the recycle bin has expired', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    org.emulator.org.clock.advance(14 * 24 * 60 * minute);
    await readChanges(await org.open(slim), mark);
    org.emulator.org.clock.advance(24 * 60 * minute);
    await expect(readChanges(await org.open(slim), mark)).rejects.toThrow(CheckpointExpiredError);
  });

  test('one that was never ours asks for a full read', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    await expect(readChanges(source, 'nonsense')).rejects.toThrow(CheckpointExpiredError);
    await expect(readChanges(source, '{"v":2}')).rejects.toThrow(CheckpointExpiredError);
  });
});

test(`a user's own query is read with its parameter bound to the checkpoint, by the org's clock (P1) ${evidence('assumed', 'as late commits')}`, async () => {
  await using org = await frozenOrg();
  const query = 'SELECT Id, Name, LastModifiedDate FROM Contact WHERE LastModifiedDate > :lastUpdateTimestamp';
  insert(org, 'old');
  org.emulator.org.clock.advance(48 * 60 * minute);
  insert(org, 'recent');
  const source = await org.open({ from: { query }, startAtMs: org.emulator.org.clock.now() - 24 * 60 * minute });
  expect(source.schema.fields.map((field) => field.name)).toEqual(['Id', 'SystemModstamp', 'Name', 'LastModifiedDate']);
  const mark = (await source.mark(signal))!;
  expect([...(await readAll(source)).values()].map((row) => row.Name)).toEqual(['recent']);
  const tx = org.emulator.org.begin();
  tx.insert('Contact', { LastName: 'late' });
  org.emulator.org.clock.advance(5 * minute);
  const { checkpoint } = await readChanges(source, mark);
  tx.commit();
  org.emulator.org.clock.advance(2 * minute);
  const { changes } = await readChanges(source, checkpoint);
  expect(changes.map((change) => change.row?.Name)).toContain('late');
  expect(changes.map((change) => change.row?.Name)).not.toContain('old');
});

describe(`a delta that goes back ${evidence('assumed', 'what was committed may have been stamped for as long before as a transaction can be open')}`, () => {
  test('brings again what was committed since then, deletes too, and then goes on as ever (P1)', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const kept = insert(org, 'Kept');
    const gone = insert(org, 'Gone');
    const mark = (await source.mark(signal))!;
    org.emulator.org.clock.advance(10 * minute);
    const deletedAtMs = org.emulator.org.clock.now();
    org.emulator.org.write((tx) => tx.delete('Contact', gone));
    const { checkpoint } = await readChanges(source, mark);
    org.emulator.org.clock.advance(120 * minute);
    const passed = (await readChanges(source, checkpoint)).checkpoint;
    expect((await readChanges(source, passed)).changes).toEqual([]);
    const rewound = source.rewind!(passed, deletedAtMs);
    const again = await readChanges(source, rewound);
    expect(again.changes.map(({ op, key }) => [op, key])).toEqual(
      expect.arrayContaining([
        ['delete', gone],
        ['upsert', kept],
      ]),
    );
    expect((await readChanges(source, again.checkpoint)).changes).toEqual([]);
  });

  test('never goes forward', async () => {
    await using org = await frozenOrg();
    const source = await org.open(slim);
    const mark = (await source.mark(signal))!;
    expect(JSON.parse(source.rewind!(mark, start + 365 * 24 * 60 * minute))).toEqual(JSON.parse(mark));
  });
});
