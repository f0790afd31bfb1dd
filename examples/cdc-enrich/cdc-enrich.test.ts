// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is how the file names a variable
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Example } from '../command-line.ts';
import { type EnrichedWorld, openWorld } from './world.ts';

// System 003, line by line (003-1 … 003-8): the example as it stands, in a process of its own, between an org that streams over
// gRPC and a PostgreSQL server.                                                                             (P1, P3, P5, P6)

const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));
let world: EnrichedWorld;
let { org, database, insert, codes } = {} as EnrichedWorld;
let example: Example;

beforeEach(async () => {
  world = await openWorld();
  ({ org, database, insert, codes } = world);
  example = new Example(config, world.env);
  // As the README says: the table first, then what tells of its changes.
  await succeeds('run', 'accounts');
  await succeeds('schema', 'apply', 'signup-codes');
});
afterEach(async () => {
  example[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

async function succeeds(...argv: string[]): Promise<string> {
  const { exitCode, out, err } = await example.run(argv);
  expect({ argv, exitCode, err: exitCode === 0 ? '' : err + out }).toEqual({ argv, exitCode: 0, err: '' });
  return out;
}
const rows = async (sql = 'SELECT id, account_number, name, signup_code FROM accounts ORDER BY name') =>
  (await database.query(sql)).rows;
const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 90_000, interval: 50 });
const follows = (running: ReturnType<Example['start']>) => running.line('err', (line) => line.includes('the stream listens'));

test('accounts stay equal by change events, and a new one gets its code on both sides (003-1, 003-2, 003-3, 003-6, 003-8)', async () => {
  const running = example.start(['start']);
  await follows(running);
  const id = insert({ Name: 'Acme', AccountNumber: '2' });
  await eventually(async () => expect(await rows()).toMatchObject([{ name: 'Acme', account_number: '2' }, { name: 'Old' }]));
  const [acme] = await rows();
  expect(acme.signup_code).toMatch(/^[A-Z2-9]{10}$/);
  await eventually(async () => expect(codes().get(id)).toBe(acme.signup_code));

  org.org.write((tx) => tx.update('Account', id, { Name: 'Acme Ltd' }));
  await eventually(async () => expect((await rows())[0]).toMatchObject({ name: 'Acme Ltd', signup_code: acme.signup_code }));
  org.org.write((tx) => tx.delete('Account', id));
  await eventually(async () => expect(await rows()).toHaveLength(1));
  running.interrupt();
  expect((await running.ended).exitCode).toBe(0);
});

test('one transaction of the org is seen at once or not at all, in its order (003-2, 003-6)', async () => {
  const running = example.start(['start']);
  await follows(running);
  const ids = org.org.write((tx) =>
    Array.from({ length: 20 }, (_, i) => tx.insert('Account', { Name: `T${i}` }).id!),
  ) as unknown as string[];
  const seen = new Set<number>();
  await eventually(async () => {
    const [{ n }] = await rows("SELECT count(*)::int AS n FROM accounts WHERE name LIKE 'T%'");
    seen.add(n);
    expect(n).toBe(20);
  });
  expect([...seen].every((n) => n === 0 || n === 20)).toBe(true);
  expect(ids).toBeDefined();
  running.interrupt();
  await running.ended;
});

test('raw events are kept with schema and replay id, and are replayed after a change without asking the org (003-4, 003-8)', async () => {
  // What began before the journal cannot be made whole from it: no code goes to the old account while events are kept.
  await succeeds('run', 'signup-codes');
  const running = example.start(['start']);
  await follows(running);
  const id = insert({ Name: 'Acme', AccountNumber: '2' });
  await eventually(async () => expect(codes().get(id)).toBeTruthy());
  running.interrupt();
  await running.ended;
  const events = await rows('SELECT id, schema_id, payload, replay_id FROM tidemark_store.events ORDER BY seq');
  expect(events.length).toBeGreaterThanOrEqual(1);
  expect(events[0]).toMatchObject({ schema_id: expect.stringMatching(/.{10}/), payload: expect.any(Buffer) });
  // Somebody spoiled the copy; the org is out of reach.
  await database.query("UPDATE accounts SET name = 'spoiled', account_number = NULL WHERE id = $1", [id]);
  const before = org.requests.totals();
  await succeeds('replay', 'accounts');
  expect((await rows()).find((row) => row.id === id)).toMatchObject({ name: 'Acme', account_number: '2' });
  expect(org.requests.totals()).toEqual(before);
});

test('what happened while it was down is brought after a restart, from its replay id; past the retention it is read (003-5, 003-6)', async () => {
  const first = example.start(['start']);
  await follows(first);
  const kept = insert({ Name: 'Kept', AccountNumber: '2' });
  await eventually(async () => expect(codes().get(kept)).toBeTruthy());
  first.interrupt();
  await first.ended;
  const missed = insert({ Name: 'Missed' });
  org.org.write((tx) => tx.delete('Account', kept));
  const second = example.start(['start']);
  await eventually(async () => expect((await rows()).map(({ name }) => name)).toEqual(['Missed', 'Old']));
  await eventually(async () => expect(codes().get(missed)).toBe((await rows())[0].signup_code));
  second.interrupt();
  await second.ended;

  insert({ Name: 'Late' });
  org.org.clock.advance(80 * 3_600_000);
  const third = example.start(['start']);
  await eventually(async () => expect((await rows()).map(({ name }) => name)).toEqual(['Late', 'Missed', 'Old']));
  third.interrupt();
  await third.ended;
});

test('the login of the sf CLI will do: its user name in place of a connected app, and no secret at all (003-7)', async () => {
  const { loginUrl, clientId, clientSecret } = org.credentials;
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret });
  const reply = await fetch(`${loginUrl}/services/oauth2/token`, { method: 'POST', body });
  const { access_token: accessToken, instance_url: instanceUrl } = (await reply.json()) as Record<string, string>;
  // What the CLI prints for `sf org display --json`, for the one user that it knows.
  const shown = JSON.stringify({ status: 0, result: { accessToken, instanceUrl, username: 'me@example.com' } });
  const sf = example.path('sf');
  writeFileSync(sf, `#!/bin/sh\ncase "$*" in *me@example.com*) echo '${shown}';; *) exit 1;; esac\n`, { mode: 0o755 });
  const own = example.path('tidemark.yaml');
  const auth = 'auth: { flow: client-credentials, clientId: "${SF_CLIENT_ID}", clientSecret: "${SF_CLIENT_SECRET}" }';
  const text = readFileSync(config, 'utf8');
  expect(text).toContain(auth);
  writeFileSync(own, text.replace(auth, 'auth: { flow: sf-cli, username: me@example.com }'));
  copyFileSync(fileURLToPath(new URL('signup-code.ts', import.meta.url)), example.path('signup-code.ts'));
  const env = { PATH: `${example.folder}${delimiter}${process.env.PATH}`, SF_CLIENT_ID: undefined, SF_CLIENT_SECRET: undefined };
  insert({ Name: 'Acme', AccountNumber: '2' });
  const { exitCode, out, err } = await example.run(['run', 'accounts'], { config: own, env });
  expect(exitCode === 0 ? '' : out + err).toBe('');
  expect(await rows()).toMatchObject([{ name: 'Acme' }, { name: 'Old' }]);
});

test('the two syncs are no circle: a code that came back changes nothing, and all is silent', async () => {
  const running = example.start(['start']);
  await follows(running);
  const id = insert({ Name: 'Acme' });
  await eventually(async () => expect(codes().get(id)).toBeTruthy());
  running.interrupt();
  await running.ended;
  const again = JSON.parse(await succeeds('run', 'signup-codes', '--json'));
  expect(again.counts).toMatchObject({ created: 0, updated: 0, failed: 0 });
});
