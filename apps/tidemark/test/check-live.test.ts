import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Emulator, evidence, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// A live sync of an object that nobody selected hears nothing, and nothing in the org says so: `check` does, and can mend it.

let emulator: Emulator;
let place: Workplace;

beforeEach(async () => {
  emulator = await startEmulator({ changeEvents: ['Account'] });
  place = new Workplace({ SF_SECRET: emulator.credentials.clientSecret });
});

afterEach(async () => {
  place[Symbol.dispose]();
  await emulator.close();
});

function configure(syncs: Record<string, object>): void {
  const { loginUrl, clientId, pubsubEndpoint } = emulator.credentials;
  const auth = { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_SECRET}' };
  place.write(
    'tidemark.yaml',
    JSON.stringify({
      connections: {
        crm: { type: 'salesforce', loginUrl, pubsubEndpoint: `http://${pubsubEndpoint}`, auth },
        db: { type: 'sqlite', path: './copy.db' },
        out: { type: 'console' },
      },
      syncs,
    }),
  );
}

const live = (object: string) => ({
  from: { connection: 'crm', object },
  to: { connection: 'db', table: object.toLowerCase() },
  live: true,
});

describe(`tidemark check of live syncs ${evidence('documented', 'Tooling API guide, PlatformEventChannelMember')}`, () => {
  test('names what is not selected at the sync that misses it, and selects it on request', async () => {
    configure({ accounts: live('Account'), people: live('Contact'), leads: { ...live('Lead'), live: false } });
    const before = await place.call('check');
    expect(before.exitCode).toBe(1);
    expect(before.out).toContain('syncs.people');
    expect(before.out).toContain('Contact is not selected for Change Data Capture');
    expect(before.out).toContain('tidemark check --select');
    expect(before.out).not.toContain('Lead is not');
    expect(emulator.events.selectedForChangeEvents()).toEqual(['Account']);

    const selecting = await place.call('check', '--select', '--json');
    expect(JSON.parse(selecting.out)).toEqual({
      ok: true,
      problems: [],
      selected: [{ connection: 'crm', datasets: ['Contact'] }],
    });
    expect(emulator.events.selectedForChangeEvents()).toEqual(['Account', 'Contact']);
    const again = await place.call('check', '--select');
    expect(again).toMatchObject({ exitCode: 0, out: expect.stringContaining('was selected already') });
  });

  test('a two-way sync is named as well, and its object selected', async () => {
    const sides = [
      { connection: 'crm', object: 'Contact' },
      { connection: 'db', table: 'people', link: 'crm_id' },
    ];
    configure({ people: { between: sides, fields: { name: 'LastName' }, live: true } });
    using db = new DatabaseSync(place.path('copy.db'));
    db.exec('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, crm_id TEXT UNIQUE)');
    expect((await place.call('schema', 'apply')).exitCode).toBe(0);
    const { exitCode, out } = await place.call('check');
    expect([exitCode, out]).toEqual([1, expect.stringMatching(/syncs.people: Contact is not selected for Change Data Capture/)]);
    expect((await place.call('check', '--select')).exitCode).toBe(0);
    expect(emulator.events.selectedForChangeEvents()).toEqual(['Account', 'Contact']);
    expect((await place.call('check')).exitCode).toBe(0);
  });

  test('writes the selection for somebody who deploys it, and overwrites nothing of theirs', async () => {
    configure({ people: live('Contact') });
    const folder = place.path('project');
    const { out, exitCode } = await place.call('check', '--write-metadata', folder);
    expect(exitCode).toBe(1);
    expect(out).toContain('sf project deploy start --manifest package.xml');
    expect(emulator.events.selectedForChangeEvents()).toEqual(['Account']);
    const deployed = await startEmulator({ source: folder, listen: false, pubsub: false });
    expect(deployed.events.selectedForChangeEvents()).toEqual(['Contact']);
    await deployed.close();

    const manifest = `${folder}/package.xml`;
    writeFileSync(manifest, 'theirs');
    const refused = await place.call('check', '--write-metadata', folder);
    expect(refused).toMatchObject({ exitCode: 2, err: expect.stringContaining('is there already') });
    expect(readFileSync(manifest, 'utf8')).toBe('theirs');
  });

  test('fields that neither events nor deltas tell of are named, unless full runs bring them', async () => {
    const people = { ...live('Contact'), fields: { id: 'Id', company: 'Account.Name' }, where: "Account.Industry != 'Banking'" };
    configure({ people });
    const { out } = await place.call('check');
    expect(out).toContain('syncs.people: Account.Name may change without anything of the record telling so');
    expect(out).toContain('whether a record matches where: may change');
    expect(out).toContain('Give the sync full:');
    configure({ people: { ...people, full: { every: '1d' } } });
    expect((await place.call('check')).out).not.toContain('may change');
  });

  test('what can never be live is said before it is started', async () => {
    configure({ out: { ...live('Account'), to: { connection: 'out' } } });
    const { out, exitCode } = await place.call('check');
    expect(exitCode).toBe(1);
    expect(out).toContain('cannot be live: its target has no transactions');
  });

  test('with no live sync there is nothing to select', async () => {
    configure({ people: { ...live('Contact'), live: false } });
    expect((await place.call('check')).exitCode).toBe(0);
    const { exitCode, err } = await place.call('check', '--write-metadata', place.path('project'));
    expect(exitCode).not.toBe(0);
    expect(err).toContain('no sync is live');
    expect(existsSync(place.path('project'))).toBe(false);
  });
});
