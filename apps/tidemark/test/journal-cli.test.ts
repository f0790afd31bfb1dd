import { Engine, loadConfig, openStore, seededRandom, systemClock } from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';
import { Workplace } from '../src/testing.ts';

// tidemark journal and tidemark replay: what they answer people and programs, and what they say to what cannot be.

describe('the journal on the command line', () => {
  const place = new Workplace();
  let emulator: Emulator;
  let old: string;

  const configure = (contacts: object) => {
    const { loginUrl, clientId, clientSecret, pubsubEndpoint } = emulator.credentials;
    const auth = { flow: 'client-credentials', clientId, clientSecret };
    const yaml = {
      store: { url: place.path('state.db') },
      connections: {
        org: { type: 'salesforce', loginUrl, pubsubEndpoint: `http://${pubsubEndpoint}`, auth },
        db: { type: 'sqlite', path: place.path('copy.db') },
      },
      syncs: {
        contacts: { from: { connection: 'org', object: 'Contact' }, to: { connection: 'db', table: 'contacts' }, ...contacts },
      },
    };
    place.write('tidemark.yaml', JSON.stringify(yaml));
  };

  beforeAll(async () => {
    emulator = await startEmulator({ changeEvents: ['Contact'] });
    const insert = (LastName: string) => emulator.org.write((t) => t.insert('Contact', { LastName, MailingCity: 'x' })).id;
    old = insert('Old');
    configure({ live: true, journal: '7d', fields: { id: 'Id', last: 'LastName', city: 'MailingCity' } });
    await using store = await openStore(place.path('state.db'));
    const config = await loadConfig(place.path('tidemark.yaml'), { env: {}, connectors: (await loadConnectors()).connectors });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    await using engine = new Engine({ config, store, clock: systemClock, random: seededRandom(1), log, fetch });
    const stop = new AbortController();
    const ended = engine.start({ stop: stop.signal, signal: new AbortController().signal });
    // Which is no stream at all until it has been taken over.
    await vi.waitUntil(() => engine.liveStatus()[0]?.state === 'live', { timeout: 90_000 });
    insert('Kent');
    emulator.org.write((t) => t.update('Contact', old, { MailingCity: 'y' }));
    await vi.waitUntil(async () => (await engine.journals())[0]?.events === 2, { timeout: 90_000 });
    stop.abort();
    await ended;
    configure({ live: true, journal: '7d', fields: { id: 'Id', last: '= $uppercase(LastName)', city: 'MailingCity' } });
  });
  afterAll(async () => {
    await emulator?.close();
    place[Symbol.dispose]();
  });

  test('journal tells what is kept', async () => {
    const { exitCode, out } = await place.call('journal');
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: expect.stringMatching(/Contact +2 .*7d +live:org:db/) });
    expect(JSON.parse((await place.call('journal', '--json')).out)).toMatchObject({
      journals: [{ dataset: 'Contact', events: 2, retentionMs: 604_800_000, syncs: ['contacts'] }],
    });
  });

  test.each([
    ['--from', 'next week?', /neither an instant nor a replay id/],
    ['--from', '2026-13-45', /no instant/],
    ['--to', '2026-02-30T99:00', /no instant/],
  ])('%s %s is wrong usage, and says what is right', async (option, value, message) => {
    const { exitCode, err } = await place.call('replay', 'contacts', option, value);
    expect(exitCode).toBe(2);
    expect(err).toMatch(message);
    expect(err).toMatch(/2026-03-04T05:00Z/);
  });

  test('an unknown sync, and an unknown replay id', async () => {
    expect(await place.call('replay', 'contact')).toMatchObject({ exitCode: 2, err: expect.stringContaining('contacts') });
    const { exitCode, out } = await place.call('replay', 'contacts', '--from', 'AAAA', '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ state: 'failed', error: { message: 'no event with the replay id AAAA is kept' } });
  });

  test('a dry run, a replay that leaves something, and one that reads it from the org', async () => {
    const dry = await place.call('replay', 'contacts', '--dry-run', '--json');
    expect(JSON.parse(dry.out)).toMatchObject({ dryRun: true, counts: { read: 2, updated: 1 } });
    const { exitCode, out } = await place.call('replay', 'contacts');
    expect(exitCode).toBe(1);
    expect(out).toMatch(/contacts: replay run succeeded/);
    expect(out).toMatch(new RegExp(`1 began before the journal.*${old}`));
    expect(out).toMatch(/to do: tidemark replay contacts --refetch/);
    const again = await place.call('replay', 'contacts', '--refetch', '--json');
    expect(again.exitCode).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({
      kind: 'replay',
      counts: { updated: 0 },
      replayed: { left: [{ key: old, reason: 'partial' }] },
      refetched: { state: 'succeeded', counts: { updated: 1 } },
    });
    expect((await place.call('runs', 'contacts')).out).toMatch(/replay +succeeded/);
    expect(JSON.parse((await place.call('replay', 'contacts', '--from', 'P1D', '--dry-run', '--json')).out)).toMatchObject({
      counts: { updated: 0 },
    });
  });
});
