import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { createTestDatabase, startTcpProxy, type TcpProxy, WatchedDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Workplace } from '../src/testing.ts';

// Real processes share the syncs of one configuration by one Postgres. Whatever befalls one of them the other one goes on for it, no sync
// has two effective owners, nothing is done twice, and the copy is the org in the end.                                  (P1, P11)

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
const POLLED = 6;
/** A machine that does much else at the same time may take so long for anything. */
const patient = { timeout: 90_000, interval: 250 };

let emulator: Emulator;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: pg.Client;
let eye: WatchedDatabase;
let place: Workplace;
let wire: TcpProxy;
const workers = new Set<ChildProcess>();
/** For whoever wants to know why. */
const saidBy = new Map<string, string[]>();

interface RunningWorker {
  readonly child: ChildProcess;
  /** As the state store names it. */
  readonly name: string;
}

beforeEach(async () => {
  emulator = await startEmulator({ changeEvents: ['Account', 'Contact'] });
  database = await createTestDatabase();
  session = new pg.Client({ connectionString: database.url });
  await session.connect();
  eye = new WatchedDatabase(session);
  wire = await startTcpProxy(database.url);
  place = new Workplace({ SF_SECRET: emulator.credentials.clientSecret, STATE_URL: database.url, TARGET_URL: database.url });
  const { loginUrl, clientId, pubsubEndpoint } = emulator.credentials;
  const polled = (i: number) => ({
    from: { connection: 'crm', object: i % 2 === 0 ? 'Account' : 'Contact' },
    to: { connection: 'app', table: `polled_${i}` },
    fields: { id: 'Id', name: 'Name' },
    every: '1s',
  });
  const live = { from: { connection: 'crm', object: 'Account' }, to: { connection: 'app', table: 'live' }, live: true };
  place.write(
    'tidemark.yaml',
    JSON.stringify({
      connections: {
        crm: {
          type: 'salesforce',
          loginUrl,
          pubsubEndpoint: `http://${pubsubEndpoint}`,
          auth: { flow: 'client-credentials', clientId, clientSecret: '$' + '{SF_SECRET}' },
        },
        app: { type: 'postgres', url: '$' + '{TARGET_URL}' },
      },
      store: { url: '$' + '{STATE_URL}' },
      syncs: {
        followed: { ...live, fields: { id: 'Id', name: 'Name' } },
        ...Object.fromEntries(Array.from({ length: POLLED }, (_, i) => [`polled_${i}`, polled(i)])),
      },
    }),
  );
});

afterEach(async () => {
  for (const child of workers) child.kill('SIGKILL');
  workers.clear();
  place[Symbol.dispose]();
  await wire[Symbol.asyncDispose]();
  await session.end();
  await database.drop();
  await emulator.close();
});

/** Each as a user of its own, so that the database knows who writes. */
async function start(options: { readonly through?: TcpProxy } = {}): Promise<RunningWorker> {
  const own = await eye.user(database.url);
  const role = own.username;
  const state = options.through?.through(own.href) ?? own.href;
  const env = {
    ...{ PATH: process.env.PATH ?? '', TIDEMARK_CONFIG: place.path('tidemark.yaml') },
    ...{ ...place.env, STATE_URL: state, TARGET_URL: own.href },
  };
  const child = spawn(process.execPath, [bin, 'start', '--port', 'off'], { env });
  workers.add(child);
  child.on('close', () => workers.delete(child));
  const said: string[] = [];
  child.stderr.on('data', (data) => said.push(String(data)));
  saidBy.set(role, said);
  await vi.waitFor(() => expect(said.join('')).toContain('this worker takes over'), patient);
  return { child, name: expect.stringMatching(new RegExp(`:${child.pid}$`)) };
}

async function told(): Promise<readonly { name: string; owns: readonly string[] }[]> {
  const { out } = await place.call('status', '--json');
  return (JSON.parse(out) as { workers: { name: string; owns: string[] }[] }).workers.filter(({ owns }) => owns.length > 0);
}

/** Who runs everything, and nobody more than half of it and one. */
async function sharedBy(...expected: readonly RunningWorker[]): Promise<void> {
  await vi.waitFor(async () => {
    const found = await told();
    expect(found).toHaveLength(expected.length);
    for (const { name } of expected) expect(found).toContainEqual(expect.objectContaining({ name }));
    expect(found.flatMap(({ owns }) => owns)).toHaveLength(POLLED + 1);
    for (const { owns } of found) expect(owns.length).toBeLessThanOrEqual(Math.ceil((POLLED + 1) / expected.length));
  }, patient);
}

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
      const found = await session.query(`SELECT id, name FROM ${table} ORDER BY id COLLATE "C"`);
      expect(found.rows).toEqual(rows.map(({ Id, Name }) => ({ id: Id, name: Name })));
    }, patient);
  }
}

test('killed, frozen, cut off from its state and stopped: the other one goes on for it', async ({ onTestFailed }) => {
  onTestFailed(() => {
    for (const [role, said] of saidBy) console.error(`${role}:\n${said.join('').slice(-4000)}`);
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
  const one = await start();
  await sharedBy(one);
  await equal();
  await eye.watch(watched);
  const busy = setInterval(write, 300);
  try {
    const other = await start({ through: wire });
    await sharedBy(one, other);

    one.child.kill('SIGKILL');
    await sharedBy(other);
    const third = await start();
    await sharedBy(other, third);

    third.child.kill('SIGSTOP');
    await sharedBy(other);
    third.child.kill('SIGCONT');
    await sharedBy(other, third);

    wire.cut();
    await sharedBy(third);
    wire.mend();
    await sharedBy(other, third);

    third.child.kill('SIGTERM');
    await sharedBy(other);
    // What is asked for from elsewhere goes on beside it.
    expect((await place.call('run', 'polled_0')).exitCode).toBe(0);
    expect((await place.call('pause', 'polled_1')).exitCode).toBe(0);
    expect((await place.call('resume', 'polled_1')).exitCode).toBe(0);
  } finally {
    clearInterval(busy);
  }
  await equal();
  expect(await eye.seen()).toEqual({ twoOwners: [], writtenAgain: [] });
  const { out } = await place.call('status');
  expect(out).toMatch(/worker +version +for +runs\n.*:\d+ +\d+\.\d+\.\d+ /);
});
