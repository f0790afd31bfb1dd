import { type Engine, type JournalStore, type ReplayRange, RequestRefusedError } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { contactFields, type Life, LiveWorld } from './live-world.ts';

// Events of a live sync that asks for it are kept as they came, and applied again without the org: after the mapping was mended, the
// copy is what a fresh copy would be, as far as events tell (P1, P3).

const minute = 60_000;
const everything = { from: null, to: null };
/** Once no run is under way: a stream that was silent when it began is made sure of by a delta, which may be late. */
function replay(engine: Engine, range: ReplayRange = everything): ReturnType<Engine['replay']> {
  const once = () =>
    engine.replay('contacts', { range, signal: new AbortController().signal }).catch((error: unknown) => {
      if (error instanceof RequestRefusedError && error.message.includes('running already')) return null;
      throw error;
    });
  return vi.waitUntil(once, { timeout: 20_000, interval: 20 });
}

/**
 * Waits until the stream has said something and is believed to listen. Its first word makes a delta, which may bring records before
 * their events have come, and so been kept; from here on nothing but events brings what changes.
 */
async function listening(world: LiveWorld, life: Life): Promise<void> {
  await world.live(life);
  world.insert('Account', { Name: 'A first word' });
  await vi.waitUntil(() => life.engine.liveStatus().every(({ lastEventMs }) => lastEventMs !== null), {
    timeout: 15_000,
    interval: 20,
  });
  await world.live(life);
}

test.each(['pubsub', 'cometd'])('a mended mapping reaches what came by %s, and the org is not asked', async (stream) => {
  await using world = await LiveWorld.open();
  const acme = world.insert('Account', { Name: 'Acme' });
  const first = await world.start(stream, { journal: '7d' });
  await listening(world, first);
  const kent = world.insert('Contact', { LastName: 'Kent', FirstName: 'Clark', AccountId: acme });
  const lane = world.insert('Contact', { LastName: 'Lane', MailingCity: 'Metropolis' });
  const luthor = world.insert('Contact', { LastName: 'Luthor' });
  world.org.write((t) => t.update('Contact', kent, { MailingCity: 'Smallville' }));
  world.org.write((t) => t.update('Contact', lane, { FirstName: 'Lois' }));
  world.org.write((t) => t.delete('Contact', luthor));
  await world.equal();
  await first.stop();
  const truth = world.truth('contacts');
  await world.closeOrg();

  const fields = { ...contactFields, city: '= $uppercase(MailingCity)', first: "= FirstName & '/' & LastName" };
  await using second = await world.engine(stream, { journal: '7d', fields });
  const report = await replay(second);
  expect(report).toMatchObject({ kind: 'replay', state: 'succeeded', counts: { updated: 2, failed: 0 } });
  expect(report.replayed).toMatchObject({ events: 6, unreadable: 0, untouched: [], holeBeforeMs: null, left: [] });
  expect(world.copied('contacts')).toEqual(
    truth.map((row) => ({
      ...row,
      city: row.city === null ? null : String(row.city).toUpperCase(),
      first: `${row.first ?? ''}/${row.last}`,
    })),
  );
  // Once more changes nothing.
  expect((await replay(second)).counts).toMatchObject({ updated: 0, created: 0, deleted: 0 });
  expect(world.warnings).toEqual([]);
});

const newFields = { ...contactFields, city: '= $uppercase(MailingCity)', first: "= FirstName & '/' & LastName" };
const columns = Object.keys(contactFields).join(', ');

type Act =
  | { readonly kind: 'insert' | 'long' | 'delete' | 'undelete'; readonly which: number }
  | { readonly kind: 'update'; readonly which: number; readonly values: Readonly<Record<string, string | null>> }
  | { readonly kind: 'both'; readonly city: string };
const text = fc.option(fc.constantFrom('a', 'Bc', 'ßé'), { freq: 3 });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const), which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('long' as const, 'delete' as const, 'undelete' as const), which: fc.nat() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      which: fc.nat(),
      values: fc.record({ FirstName: text, MailingCity: text, Description: text }, { requiredKeys: [] }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('both' as const), city: fc.constantFrom('x', 'y') }) },
);

test(
  'after a mapping was changed a replay makes of every record what a fresh copy would, or names it (P3)',
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 30 }), async (acts) => {
        await using world = await LiveWorld.open();
        const old = ['Old', 'Older'].map((LastName) => world.insert('Contact', { LastName, MailingCity: 'before' }));
        const first = await world.start('pubsub', { journal: '7d' });
        await listening(world, first);
        const ids = [...old];
        const gone = new Set<string>();
        const told = new Set<string>();
        const hidden = new Set<string>();
        const there = () => ids.filter((id) => !gone.has(id));
        for (const one of acts) {
          const pick = (among: readonly string[]) =>
            'which' in one && among.length > 0 ? among[one.which % among.length] : undefined;
          const id = one.kind === 'undelete' ? pick([...gone]) : pick(there());
          if (one.kind === 'insert') {
            ids.push(world.insert('Contact', { LastName: `n${ids.length}`, MailingCity: 'Born' }));
            told.add(ids.at(-1)!);
          } else if (one.kind === 'both') {
            world.org.write((t) => {
              for (const each of there()) t.update('Contact', each, { MailingCity: one.city });
            });
          } else if (id === undefined) continue;
          else if (one.kind === 'update') world.org.write((t) => t.update('Contact', id, one.values));
          else if (one.kind === 'long') {
            world.org.write((t) => t.update('Contact', id, { Description: 'x'.repeat(3000) }));
            world.org.write((t) => t.update('Contact', id, { Description: `${'x'.repeat(2999)}y` }));
            hidden.add(id);
          } else if (one.kind === 'delete') {
            world.org.write((t) => t.delete('Contact', id));
            gone.add(id);
          } else {
            world.org.write((t) => t.undelete('Contact', id));
            gone.delete(id);
            told.add(id);
          }
          world.org.clock.advance(one.kind === 'insert' ? 1000 : 0);
        }
        await world.equal();
        await first.stop();
        await using fresh = await world.engine('pubsub', {
          live: false,
          fields: newFields,
          to: { connection: 'db', table: 'fresh' },
        });
        expect(await fresh.run('contacts', { signal: new AbortController().signal, full: true })).toMatchObject({
          state: 'succeeded',
        });
        const before = world.copied('contacts');
        const wanted = world.database.prepare(`SELECT ${columns} FROM fresh ORDER BY id`).all();
        await world.closeOrg();

        await using second = await world.engine('pubsub', { journal: '7d', fields: newFields });
        const { replayed, state } = await replay(second);
        expect(state).toBe('succeeded');
        const left = new Set(replayed.left.map(({ key }) => key));
        const rows = world.copied('contacts');
        expect(rows.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
        for (const [i, row] of rows.entries()) {
          const id = String(row.id);
          const was = before.find((each) => each.id === id)!;
          if (told.has(id) && !hidden.has(id)) expect(left).not.toContain(id);
          for (const column of Object.keys(contactFields)) {
            // Never a value that neither mapping makes; and the new one's, unless it is told that it could not be had.
            const among = left.has(id) || !replayed.events ? [wanted[i]![column], was[column]] : [wanted[i]![column]];
            if (!left.has(id) && old.includes(id) && !told.has(id) && row[column] === was[column]) continue;
            expect(among).toContainEqual(row[column]);
          }
        }
        const again = await replay(second);
        expect(again.counts).toMatchObject({ created: 0, updated: 0, deleted: 0 });
        expect(world.copied('contacts')).toEqual(rows);
      }),
      { numRuns: 6 },
    ),
  120_000,
);

test('killed between the journal and the commit, it keeps every event once, and the copy is right (P1)', async () => {
  await using world = await LiveWorld.open();
  const first = await world.start('pubsub', { journal: '7d' });
  await listening(world, first);
  world.insert('Contact', { LastName: 'First' });
  await world.equal();
  const { append } = world.store.journal;
  const { promise: killed, reject: kill } = Promise.withResolvers<never>();
  const interrupted = vi
    .spyOn(world.store.journal, 'append')
    .mockImplementation(async (...values: Parameters<JournalStore['append']>) => {
      await append(...values);
      // What was kept is kept; what was to be committed after it never is.
      await killed;
    });
  world.insert('Contact', { LastName: 'Kent' });
  await vi.waitUntil(() => interrupted.mock.calls.length > 0, { timeout: 90_000 });
  const ended = first.kill();
  kill(new Error('killed'));
  await ended;
  expect(world.copied('contacts')).toHaveLength(1);
  interrupted.mockRestore();
  world.insert('Contact', { LastName: 'Lane' });
  const second = await world.start('pubsub', { journal: '7d' });
  await world.equal();
  // A delta at the start may have brought both before the stream does.
  const kept = async () => (await second.engine.journals())[0];
  await vi.waitFor(async () => expect(await kept()).toMatchObject({ dataset: 'Contact', events: 3 }), {
    timeout: 90_000,
    interval: 20,
  });
  await second.stop();
  expect(await kept()).toMatchObject({ events: 3, retentionMs: 604_800_000 });
});

test.each([
  ['sqlite', 1],
  ['sqlite', 2],
  ['postgres', 1],
  ['postgres', 2],
])(
  'an event that comes while its record is replayed into %s is not undone, at the %ith look into the journal (P3)',
  async (target, look) => {
    await using world = await LiveWorld.open(target);
    const life = await world.start('pubsub', { journal: '7d' });
    await listening(world, life);
    const kent = world.insert('Contact', { LastName: 'Kent', MailingCity: 'first' });
    await world.equal();
    // Another process, with the mapping as it is: only the order decides which value stays.
    await using other = await world.engine('pubsub', { journal: '7d' });
    const append = vi.spyOn(world.store.journal, 'append');
    const { read } = world.store.journal;
    let looks = 0;
    const reading = vi.spyOn(world.store.journal, 'read').mockImplementation(async (filter) => {
      // The first look tells what is to be written, the next one comes when it is, and is not committed.
      const before = look === 1 ? await read(filter) : null;
      if (++looks === look) {
        // In the same second of the org's clock: no stamp tells the two apart.
        world.org.write((t) => t.update('Contact', kent, { MailingCity: 'second' }));
        await vi.waitUntil(() => append.mock.settledResults.length > 0, { timeout: 90_000 });
        if (look === 1) await world.equal();
      }
      return before ?? read(filter);
    });
    const report = await replay(other);
    reading.mockRestore();
    expect(looks).toBeGreaterThan(look);
    expect(report).toMatchObject({ state: 'succeeded', replayed: { left: [] } });
    await world.equal();
    await life.stop();
    expect(world.truth('contacts')).toMatchObject([{ city: 'second' }]);
  },
);

test.each([
  ['sqlite', 'the same process'],
  ['postgres', 'the same process'],
  ['postgres', 'another process'],
])('replays beside a stream under load, into %s by %s, undo nothing (P3, P11)', async (target, by) => {
  await using world = await LiveWorld.open(target);
  const life = await world.start('pubsub', { journal: '7d' });
  await listening(world, life);
  const ids = Array.from({ length: 20 }, (_, i) => world.insert('Contact', { LastName: `n${i}` }));
  await world.equal();
  await using other = await world.engine('pubsub', { journal: '7d' });
  const engine = by === 'the same process' ? life.engine : other;
  let writes = 0;
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      world.org.write((t) => {
        for (const id of ids.filter((_, i) => (i + writes) % 3 === 0)) t.update('Contact', id, { MailingCity: `c${++writes}` });
      });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  for (let round = 0; round < 8; round++) {
    const { state, counts } = await replay(engine);
    expect({ state, failed: counts.failed }).toEqual({ state: 'succeeded', failed: 0 });
  }
  isOver = true;
  await writing;
  await world.equal();
  await life.stop();
  expect(writes).toBeGreaterThan(20);
});

test('what a hole may have changed is not replayed from before it, and is named (P3)', async () => {
  await using world = await LiveWorld.open();
  const first = await world.start('pubsub', { journal: '7d' });
  await listening(world, first);
  const [kent, lane] = ['Kent', 'Lane'].map((LastName) => world.insert('Contact', { LastName, MailingCity: 'before' }));
  await world.equal();
  await first.stop();
  // Followed without a journal for a while.
  const second = await world.start('pubsub');
  await listening(world, second);
  world.org.write((t) => t.update('Contact', kent!, { MailingCity: 'untold' }));
  await world.equal();
  await second.stop();
  const third = await world.start('pubsub', { journal: '7d' });
  await listening(world, third);
  world.org.write((t) => t.update('Contact', kent!, { FirstName: 'Clark' }));
  await world.equal();
  await third.stop();
  const truth = world.truth('contacts');
  await world.closeOrg();
  await using fourth = await world.engine('pubsub', { journal: '7d', fields: { ...contactFields, notes: "= 'n' & FirstName" } });
  const { replayed } = await replay(fourth);
  expect(replayed.left.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
    { key: kent, reason: 'untold' },
    { key: lane, reason: 'untold' },
  ]);
  expect(replayed.holeBeforeMs).not.toBeNull();
  expect(world.copied('contacts')).toEqual(truth.map((row) => (row.id === kent ? { ...row, notes: 'nClark' } : row)));
});

test('a record that is newer in the target stays and is named; one with an open failure is left to that (P2, P3)', async () => {
  await using world = await LiveWorld.open();
  const first = await world.start('pubsub', { journal: '7d' });
  await listening(world, first);
  const [kent, lane] = ['Kent', 'Lane'].map((LastName) => world.insert('Contact', { LastName, MailingCity: 'x' }));
  await world.equal();
  await first.stop();
  world.database.exec(`UPDATE contacts SET _tidemark_stamp = '2099-01-01T00:00:00.000Z' WHERE id = '${kent}'`);
  const failure = {
    sync: 'contacts',
    key: lane!,
    op: 'upsert',
    row: {},
    stampMs: 0,
    code: 'c',
    message: 'm',
    place: 'target',
  } as const;
  await world.store.putFailures([{ ...failure, lastAtMs: 0, nextAttemptAtMs: 9e15 }]);
  await using second = await world.engine('pubsub', { journal: '7d', fields: newFields });
  const { replayed, counts } = await replay(second);
  expect(replayed.left).toEqual(
    expect.arrayContaining([
      { key: kent, reason: 'newer' },
      { key: lane, reason: 'failing' },
    ]),
  );
  expect(counts).toMatchObject({ updated: 0 });
  expect(world.copied('contacts')).toMatchObject([{ city: 'x' }, { city: 'x' }]);
});

test('a range chooses the records, and each is as its latest event leaves it', async () => {
  await using world = await LiveWorld.open();
  const first = await world.start('pubsub', { journal: '7d' });
  await listening(world, first);
  const startMs = world.org.clock.now();
  const [kent, lane] = ['Kent', 'Lane'].map((LastName) => world.insert('Contact', { LastName }));
  await world.equal();
  world.org.clock.advance(minute);
  world.org.write((t) => t.update('Contact', kent!, { MailingCity: 'then' }));
  await world.equal();
  world.org.clock.advance(minute);
  world.org.write((t) => t.update('Contact', kent!, { MailingCity: 'now' }));
  await world.equal();
  await first.stop();
  await world.closeOrg();
  await using second = await world.engine('pubsub', { journal: '7d', fields: newFields });
  const at = (minutes: number) => ({ kind: 'time' as const, ms: startMs + minutes * minute });
  const dry = await second.dryReplay('contacts', { range: { from: at(0.5), to: at(1.5) }, signal: new AbortController().signal });
  expect(dry).toMatchObject({ counts: { read: 1, updated: 1 }, replayed: { events: 1 } });
  expect(world.copied('contacts').map(({ city }) => city)).toEqual(['now', null]);
  const { counts } = await replay(second, { from: at(0.5), to: at(1.5) });
  expect(counts).toMatchObject({ read: 1, updated: 1 });
  expect(world.copied('contacts').map(({ id, first: name, city }) => [id, name, city])).toEqual([
    [kent, '/Kent', 'NOW'],
    [lane, null, null],
  ]);
  const unknown = { kind: 'event' as const, replayId: 'pubsub:AAAA' };
  const refused = await replay(second, { from: unknown, to: null });
  expect(refused).toMatchObject({
    state: 'failed',
    error: { code: 'request_refused', message: expect.stringContaining('pubsub:AAAA') },
  });
});

test('steps get records that are whole, and say what they lack', async () => {
  await using world = await LiveWorld.open();
  const kent = world.insert('Contact', { LastName: 'Kent', MailingCity: 'in' });
  const first = await world.start('pubsub', { journal: '7d' });
  await listening(world, first);
  const lane = world.insert('Contact', { LastName: 'Lane', MailingCity: 'in' });
  const luthor = world.insert('Contact', { LastName: 'Luthor', MailingCity: 'out' });
  world.org.write((t) => t.update('Contact', kent, { FirstName: 'Clark' }));
  await world.equal();
  await first.stop();
  await world.closeOrg();
  await using second = await world.engine('pubsub', { journal: '7d', steps: [{ filter: "MailingCity = 'in'" }] });
  const { replayed, counts } = await replay(second);
  expect(replayed.left).toEqual([{ key: kent, reason: 'partial' }]);
  expect(counts).toMatchObject({ deleted: 1, dropped: 1 });
  expect(world.copied('contacts').map(({ id }) => id)).toEqual([kent, lane]);
  expect(luthor).not.toBe('');
  await using third = await world.engine('pubsub', { journal: '7d', steps: [{ filter: "SystemModstamp > '2020'" }] });
  expect(await replay(third)).toMatchObject({
    state: 'failed',
    error: { message: expect.stringContaining('SystemModstamp, which no event carries') },
  });
});

test("what a filter of the source lets in is the org's to say: rows that are there are written, and none is made", async () => {
  await using world = await LiveWorld.open();
  const first = await world.start('pubsub', { journal: '7d', where: "MailingCity = 'in'" });
  await listening(world, first);
  const kent = world.insert('Contact', { LastName: 'Kent', MailingCity: 'in' });
  world.insert('Contact', { LastName: 'Luthor', MailingCity: 'out' });
  await vi.waitFor(() => expect(world.copied('contacts')).toHaveLength(1), { timeout: 90_000, interval: 20 });
  await first.stop();
  await world.closeOrg();
  await using second = await world.engine('pubsub', { journal: '7d', where: "MailingCity = 'in'", fields: newFields });
  const report = await replay(second);
  expect(report).toMatchObject({ counts: { updated: 1, dropped: 1, created: 0 }, replayed: { left: [] } });
  expect(world.copied('contacts')).toMatchObject([{ id: kent, city: 'IN' }]);
});

test('a sync of which nothing is kept says so', async () => {
  await using world = await LiveWorld.open();
  await using engine = await world.engine('pubsub', { journal: '7d' });
  expect(await replay(engine)).toMatchObject({ state: 'failed', error: { hint: expect.stringContaining('journal:') } });
  await using still = await world.engine('pubsub', { live: false });
  expect(await replay(still)).toMatchObject({ state: 'failed', error: { hint: expect.stringContaining('live: true') } });
  expect(await engine.journals()).toEqual([]);
});
