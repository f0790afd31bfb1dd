import { type Emulator, startEmulator } from '@tidemark/emulator';
import { startTcpProxy, type TcpProxy } from '@tidemark/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { patient, WorkerProcesses } from './worker-processes.ts';

// Real processes share the syncs of one configuration by one Postgres. Whatever befalls one of them the other one goes on for it, no sync
// has two effective owners, nothing is done twice, and the copy is the org in the end.                                  (P1, P11)

const POLLED = 6;

let emulator: Emulator;
let workers: WorkerProcesses;
let wire: TcpProxy;

beforeEach(async () => {
  emulator = await startEmulator({ changeEvents: ['Account', 'Contact'] });
  const { loginUrl, clientId, clientSecret, pubsubEndpoint } = emulator.credentials;
  const polled = (i: number) => ({
    from: { connection: 'crm', object: i % 2 === 0 ? 'Account' : 'Contact' },
    to: { connection: 'app', table: `polled_${i}` },
    fields: { id: 'Id', name: 'Name' },
    every: '1s',
  });
  const live = { from: { connection: 'crm', object: 'Account' }, to: { connection: 'app', table: 'live' }, live: true };
  const crm = {
    type: 'salesforce',
    loginUrl,
    pubsubEndpoint: `http://${pubsubEndpoint}`,
    auth: { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_SECRET}' },
  };
  const syncs = {
    followed: { ...live, fields: { id: 'Id', name: 'Name' } },
    ...Object.fromEntries(Array.from({ length: POLLED }, (_, i) => [`polled_${i}`, polled(i)])),
  };
  workers = await WorkerProcesses.open({ connections: { crm }, syncs }, { SF_SECRET: clientSecret });
  wire = await startTcpProxy(workers.database.url);
});

afterEach(async () => {
  await workers[Symbol.asyncDispose]();
  await wire[Symbol.asyncDispose]();
  await emulator.close();
});

/** Of every table, the column that tells whether a row has changed. */
const watched = Object.fromEntries(
  ['live', ...Array.from({ length: POLLED }, (_, i) => `polled_${i}`)].map((table) => [table, 'name']),
);

async function equal(): Promise<void> {
  for (const [table, object] of [
    ['live', 'Account'],
    ...Array.from({ length: POLLED }, (_, i) => [`polled_${i}`, i % 2 === 0 ? 'Account' : 'Contact']),
  ]) {
    const rows = emulator.org.query(`SELECT Id, Name FROM ${object} ORDER BY Id`).page(0, 2000, 'v62.0') as {
      Id: string;
      Name: string;
    }[];
    await vi.waitFor(async () => {
      const found = await workers.session.query(`SELECT id, name FROM ${table} ORDER BY id COLLATE "C"`);
      expect(found.rows).toEqual(rows.map(({ Id, Name }) => ({ id: Id, name: Name })));
    }, patient);
  }
}

test('killed, frozen, cut off from its state and stopped: the other one goes on for it', async ({ onTestFailed }) => {
  onTestFailed(() => {
    workers.tell();
  });
  let written = 0;
  const ids: string[] = [];
  const write = () =>
    emulator.org.write((t) => {
      ids.push(t.insert('Account', { Name: `made ${++written}` }).id);
      t.insert('Contact', { LastName: `made ${written}` });
      t.update('Account', ids[Math.floor(ids.length / 2)]!, { Name: `changed ${written}` });
    });
  write();
  const one = await workers.start();
  await workers.sharedBy(POLLED + 1, one);
  await equal();
  await workers.eye.watch(watched);
  const busy = setInterval(write, 300);
  try {
    const other = await workers.start({ through: wire });
    await workers.sharedBy(POLLED + 1, one, other);

    one.child.kill('SIGKILL');
    await workers.sharedBy(POLLED + 1, other);
    const third = await workers.start();
    await workers.sharedBy(POLLED + 1, other, third);

    third.child.kill('SIGSTOP');
    await workers.sharedBy(POLLED + 1, other);
    third.child.kill('SIGCONT');
    await workers.sharedBy(POLLED + 1, other, third);

    wire.cut();
    await workers.sharedBy(POLLED + 1, third);
    wire.mend();
    await workers.sharedBy(POLLED + 1, other, third);

    third.child.kill('SIGTERM');
    await workers.sharedBy(POLLED + 1, other);
    // What is asked for from elsewhere goes on beside it.
    expect((await workers.place.call('run', 'polled_0')).exitCode).toBe(0);
    expect((await workers.place.call('pause', 'polled_1')).exitCode).toBe(0);
    expect((await workers.place.call('resume', 'polled_1')).exitCode).toBe(0);
  } finally {
    clearInterval(busy);
  }
  await equal();
  expect(await workers.eye.seen()).toEqual({ twoOwners: [], writtenAgain: [] });
  const { out } = await workers.place.call('status');
  expect(out).toMatch(/worker +version +for +runs\n.*:\d+ +\d+\.\d+\.\d+ /);
});
