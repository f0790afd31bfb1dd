import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import { expect, test } from 'vitest';
import { onBehalfOf } from '../../base/caller.ts';
import { registerSecret } from '../../base/secrets.ts';
import type { AnyConnector } from '../../config/config.ts';
import { parseConfig } from '../../config/load-config.ts';
import { LiveProgress } from '../../pipeline/live/live-status.ts';
import type { NewConflict } from '../../store/links.ts';
import { openStore } from '../../store/open-store.ts';
import { Budgets } from '../budget/budgets.ts';
import { keepStatus } from '../kept-status.ts';
import { ParkedClock } from '../live-fixture.ts';
import { findTroubles } from './find-troubles.ts';
import { settleTroubles } from './watch-troubles.ts';

// What is told is so, and of what this process cannot know it tells nothing, neither that it is wrong nor that it is over.

const yaml = `
connections: { crm: { type: memory }, app: { type: memory } }
syncs:
  contacts: { from: { connection: crm, dataset: contacts }, to: { connection: app, dataset: copy }, live: true, every: 1h }
notifications:
  chat: { webhook: { url: "https://chat.example.com/" } }
`;
const minute = 60_000;
const unit = 'live:crm:app';
const log = { debug() {}, info() {}, warn() {}, error() {} };

async function opened() {
  const store = await openStore(':memory:');
  const clock = new ParkedClock();
  const connectors = [createMemoryConnector({ memory: new Memory() }) as unknown as AnyConnector];
  const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
  const parts = { config, store, clock, budgets: new Budgets({ store, clock, log }), followed: () => [] };
  const look = async (as: Partial<typeof parts> = {}) => {
    const found = await findTroubles({ ...parts, ...as });
    await settleTroubles(found, { store: store.notifications, clock, receivers: config.notifications });
    return found.troubles;
  };
  const told = async () => (await store.notifications.waiting()).get('chat') ?? 0;
  return { ...parts, look, told, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

test('nothing is wrong with what has just begun', async () => {
  await using fresh = await opened();
  expect(await fresh.look()).toEqual([]);
});

test('conflicts that wait for somebody are told once, however many come after', async () => {
  await using place = await opened();
  const { store, look, told } = place;
  const { epoch } = await store.checkpoints.acquire('contacts');
  const conflict: NewConflict = {
    ...{ sync: 'contacts', leftKey: '1', rightKey: '1', field: 'name', base: 'a', left: 'b', right: 'c' },
    ...{ state: 'open', outcome: null, why: 'manual', atMs: 1 },
  };
  const [id] = await store.links.putConflicts({ sync: 'contacts', epoch }, [conflict]);
  expect(await look()).toMatchObject([{ kind: 'conflicts_open', subject: 'contacts' }]);
  await store.links.putConflicts({ sync: 'contacts', epoch }, [{ ...conflict, field: 'city' }]);
  expect(await look()).toMatchObject([{ text: expect.stringContaining('2 records') }]);
  expect(await told()).toBe(1);
  await store.links.settleConflicts([id!], { why: 'Zoë', value: 'b' });
  expect(await look()).toHaveLength(1);
});

test('a stream that another process follows is as that one told last; who is silent is not well', async () => {
  await using place = await opened();
  const { store, clock, look, told } = place;
  const progress = new LiveProgress(unit, ['contacts'], clock);
  const keep = keepStatus(store, clock);
  progress.failed('no route', clock.now() + minute, true);
  await keep(progress.tell(), 5000);
  expect(await look()).toMatchObject([{ kind: 'stream_unhealthy', subject: unit, text: expect.stringContaining('no route') }]);
  progress.ended(null);
  await keep(progress.tell(), 5000);
  expect(await look()).toEqual([]);
  progress.back();
  await keep(progress.tell(), 5000);
  await clock.advance(3 * minute);
  expect(await look()).toMatchObject([{ text: expect.stringContaining('nothing was heard') }]);
  expect(await told()).toBe(1);
});

test('reasons are the words of others, and a secret of ours in them is told to nobody', async () => {
  await using place = await opened();
  const { store, clock, look } = place;
  registerSecret('planted-password-0815');
  const progress = new LiveProgress(unit, ['contacts'], clock);
  progress.failed('postgres://me:planted-password-0815@db: planted-password-0815', clock.now() + minute, true);
  await keepStatus(store, clock)(progress.tell(), 5000);
  await look();
  const turn = await store.notifications.takeTurn('chat', clock.now(), clock.now() + minute);
  const { body } = turn!.notifications[0]!;
  expect(JSON.parse(body).text).toContain('[secret]');
  expect(body).not.toContain('planted-password');
});

test('calls that run short are told by who counts them, and that they do no more by nobody else', async () => {
  await using place = await opened();
  const { budgets, store, clock, look, told } = place;
  const budget = budgets.open('crm', { share: { calls: 100 }, reserve: { calls: 1 } });
  const call = async () => {
    await onBehalfOf({ priority: 'delta' }, () => budget.admit());
    budget.ended({ used: 20, max: 1000 });
  };
  for (let i = 0; i < 5; i++) await call();
  expect(await look()).toEqual([]);
  for (let i = 0; i < 86; i++) await call();
  expect(await look()).toMatchObject([
    { kind: 'budget_short', subject: 'crm', text: expect.stringContaining('91 of our 100 calls') },
  ]);
  // Another process has nothing to do with that connection.
  const elsewhere = { budgets: new Budgets({ store, clock, log }) };
  await look(elsewhere);
  await clock.advance(10 * minute);
  await look(elsewhere);
  expect(await told()).toBe(1);
  await clock.advance(26 * 60 * minute);
  await look();
  await clock.advance(10 * minute);
  await look();
  expect(await told()).toBe(2);
});

test('of processes that look at the same time one tells', async () => {
  await using place = await opened();
  const { store, look, told } = place;
  const id = await store.startRun({ sync: 'contacts', kind: 'delta', startedAtMs: 1 });
  await store.updateRun(id, { state: 'failed', finishedAtMs: 2, error: { code: 'access_denied', message: 'no' } });
  await Promise.all(Array.from({ length: 5 }, () => look()));
  expect(await told()).toBe(1);
});

test('what is in no configuration of this process is told by whoever has it', async () => {
  await using place = await opened();
  const { store, look, told } = place;
  await store.notifications.open({ kind: 'run_failed', subject: 'orders', sinceMs: 1 }, { receivers: [], body: '{}', atMs: 1 });
  await look();
  expect(await store.notifications.troubles()).toMatchObject([{ subject: 'orders', clearSinceMs: null }]);
  expect(await told()).toBe(0);
});
