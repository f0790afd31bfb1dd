import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AccessDeniedError, RequestRefusedError } from '../../base/errors.ts';
import { registerSecret } from '../../base/secrets.ts';
import { StreamWorld } from '../live-fixture.ts';
import { HookReceiver, MailServer } from './receivers-fixture.ts';

// Somebody is told what is wrong, and that it is over: each once, whatever stops or breaks meanwhile. Syncs never wait for it.

const minute = 60_000;
const signingSecret = 'the-secret-of-the-signature';
let hook: HookReceiver;
let mail: MailServer;
let world: StreamWorld;

beforeEach(async () => {
  hook = await HookReceiver.open();
  mail = await MailServer.open();
  world = await StreamWorld.open();
  world.beside = {
    notifications: {
      chat: { webhook: { url: hook.url, secret: signingSecret, allowPrivate: true } },
      ops: {
        email: {
          smtp: `smtp://tidemark:mail-password@127.0.0.1:${mail.port}`,
          ...{ from: 'Tidemark <tidemark@example.com>', to: ['ops@example.com', 'boss@example.com'], requireTls: false },
        },
      },
    },
  };
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await hook[Symbol.asyncDispose]();
  await mail[Symbol.asyncDispose]();
});

/** A sync that runs every few seconds, and nothing else. */
const polled = { people: { live: false, every: '10s', startDelay: '1s', retry: { attempts: 1 } }, places: null };

/** Nothing is left to be told, and the clock may move. */
async function allTold(): Promise<void> {
  while ((await world.store.notifications.waiting()).size > 0) await new Promise(setImmediate);
  await world.clock.advance(0);
}

test('a failed run is told once, and once that runs succeed again; a restart tells nothing anew (004-5)', async () => {
  await world.start(polled);
  await world.clock.advance(minute);
  expect(hook.posted).toEqual([]);
  world.unreadable.set('people', new AccessDeniedError('INVALID_SESSION_ID', { hint: 'sign in again' }));
  await world.clock.advance(20_000);
  await Promise.all([hook.arrived(1), mail.arrived(1)]);
  await allTold();
  expect(hook.notifications).toMatchObject([
    {
      ...{ event: 'trouble', kind: 'run_failed', subject: 'people', title: 'people: a run failed' },
      ...{ text: 'INVALID_SESSION_ID', hint: 'sign in again' },
    },
  ]);
  expect(mail.mails).toMatchObject([{ to: ['<ops@example.com>', '<boss@example.com>'] }]);
  expect(mail.mails[0]!.text).toContain('Subject: [Tidemark] people: a run failed');
  expect(mail.mails[0]!.text).toMatch(/INVALID_SESSION_ID\s+What to do: sign in again/);

  await world.clock.advance(10 * minute);
  await world.stop();
  await world.start(polled);
  await world.clock.advance(10 * minute);
  await allTold();
  expect([hook.posted.length, mail.mails.length]).toEqual([1, 1]);

  world.unreadable.clear();
  await world.clock.advance(3 * minute);
  expect(hook.posted).toHaveLength(1);
  await world.clock.advance(4 * minute);
  await Promise.all([hook.arrived(2), mail.arrived(2)]);
  await allTold();
  expect(hook.notifications[1]).toMatchObject({ event: 'recovered', title: 'people: runs succeed again' });
  await world.clock.advance(10 * minute);
  expect([hook.posted.length, mail.mails.length]).toEqual([2, 2]);
  expect(world.runs.filter((run) => run === 'people delta succeeded').length).toBeGreaterThan(20);
});

test('what comes and goes is told as one trouble', async () => {
  await world.start(polled);
  await world.clock.advance(minute);
  for (let i = 0; i < 5; i++) {
    world.unreadable.set('people', new AccessDeniedError('no'));
    await world.clock.advance(minute);
    await hook.arrived(1);
    await allTold();
    world.unreadable.clear();
    await world.clock.advance(2 * minute);
  }
  expect(hook.posted).toHaveLength(1);
});

test('whoever gets a webhook can tell that it is ours, that nothing was changed, and what came twice', async () => {
  world.shut.set('people', new AccessDeniedError('no'));
  hook.status = 500;
  await world.start(polled);
  await world.clock.advance(20_000);
  await hook.arrived(1);
  await world.clock.advance(0);
  hook.status = 204;
  await world.clock.advance(minute);
  await hook.arrived(2);
  await allTold();
  for (const { headers, body } of hook.posted) {
    const signed = createHmac('sha256', signingSecret).update(`${headers['x-tidemark-timestamp']}.${body}`).digest('hex');
    expect(headers['x-tidemark-signature']).toBe(`sha256=${signed}`);
    expect(headers['content-type']).toBe('application/json');
  }
  const [first, second] = hook.posted.map(({ headers }) => headers['idempotency-key']);
  expect(first).toMatch(/^[0-9a-f]{40}$/);
  expect(second).toBe(first);
  expect(hook.notifications[1]).toEqual(hook.notifications[0]);
});

test('a receiver that hangs or is gone keeps no sync waiting, and is told later in the same order', async () => {
  hook.status = null;
  world.shut.set('people', new AccessDeniedError('no'));
  await world.start(polled);
  await world.clock.advance(20_000);
  await hook.arrived(1);
  world.shut.clear();
  world.runs.length = 0;
  await world.clock.advance(10 * minute);
  expect(world.runs.filter((run) => run === 'people full succeeded' || run === 'people delta succeeded').length).toBeGreaterThan(
    55,
  );
  // Its own trouble keeps nobody else from being told.
  await mail.arrived(2);
  await world.stop();

  hook.status = 204;
  hook.posted.length = 0;
  await world.start(polled);
  await world.clock.advance(2 * minute);
  await hook.arrived(1);
  await allTold();
  expect(hook.notifications.map(({ event }) => event)).toEqual(['trouble', 'recovered']);
});

test('no secret is told: not in a reason, not in an address, not in the log', async () => {
  registerSecret('planted-password-4711');
  world.shut.set('people', new AccessDeniedError('postgres://me:planted-password-4711@db refused planted-password-4711'));
  await world.start(polled);
  hook.status = 500;
  await world.clock.advance(20_000);
  await Promise.all([hook.arrived(1), mail.arrived(1)]);
  await world.clock.advance(0);
  const told = [
    ...hook.posted.map(({ body, headers }) => body + JSON.stringify(headers)),
    ...mail.mails.map(({ text }) => text),
  ].join();
  expect(told).toContain('[secret]');
  expect(told).not.toMatch(/planted-password|hook-path-secret|mail-password|the-secret-of-the-signature/);
  const logged = world.warnings.map(({ err }) => String(err?.message)).join();
  expect(logged).toContain('answered 500');
  expect(logged).not.toMatch(/hook-path-secret/);
});

test('a stream that is not followed is told, and that it is again', async () => {
  await world.start();
  await world.clock.advance(minute);
  world.refuses = new Error('no route to the org');
  await world.lose(new Error('gone'));
  await world.clock.advance(2 * minute);
  await hook.arrived(1);
  await allTold();
  expect(hook.notifications).toMatchObject([
    { event: 'trouble', kind: 'stream_unhealthy', subject: 'live:src:dst', text: expect.stringContaining('no route to the org') },
  ]);
  world.refuses = null;
  await world.clock.advance(15 * minute);
  await hook.arrived(2);
  await allTold();
  expect(hook.notifications[1]).toMatchObject({ event: 'recovered', title: 'live:src:dst: the stream is followed again' });
  // Being stopped and started is no trouble.
  await world.stop();
  await world.clock.advance(10 * minute);
  await world.start();
  await world.clock.advance(10 * minute);
  await allTold();
  expect(hook.posted).toHaveLength(2);
});

test('a window that one record holds open is told with the record that holds it, and refused records are (004-5)', async () => {
  world.poison.add('17');
  await world.write(['people', '17', { name: 'Kent' }]);
  await world.start({ ...polled, people: { ...polled.people, onFailure: 'hold', warnAfter: '30m' } });
  await world.clock.advance(minute);
  await hook.arrived(1);
  await allTold();
  expect(hook.notifications).toMatchObject([{ kind: 'failures_open', hint: 'tidemark failures list people' }]);
  await world.clock.advance(30 * minute);
  await hook.arrived(2);
  await allTold();
  expect(hook.notifications[1]).toMatchObject({
    kind: 'window_held',
    subject: 'people',
    text: expect.stringContaining('Record 17 '),
  });
  expect(Date.parse(hook.notifications[1]!.at) - Date.parse(hook.notifications[1]!.since)).toBeGreaterThanOrEqual(30 * minute);
  world.poison.clear();
  await world.clock.advance(10 * minute);
  await allTold();
  expect(
    hook.notifications
      .slice(2)
      .map(({ event, kind }) => `${event} ${kind}`)
      .sort(),
  ).toEqual(['recovered failures_open', 'recovered window_held']);
});

test('who is interested in something else is not told', async () => {
  world.beside = { notifications: { chat: { webhook: { url: hook.url, allowPrivate: true }, about: ['conflicts_open'] } } };
  world.shut.set('people', new AccessDeniedError('no'));
  await world.start(polled);
  await world.clock.advance(5 * minute);
  expect(await world.store.notifications.troubles()).toMatchObject([{ kind: 'run_failed' }]);
  expect(await world.store.notifications.waiting()).toEqual(new Map());
  expect(hook.posted).toEqual([]);
});

test('a test tells each receiver at once, and says who could not be told', async () => {
  const engine = await world.start(polled);
  hook.status = 302;
  const never = new AbortController().signal;
  const tested = await engine.notifications.test(undefined, never);
  expect(tested).toEqual([
    { receiver: 'chat', error: expect.stringMatching(/^127\.0\.0\.1:\d+ answered 302$/), hint: undefined },
    { receiver: 'ops', error: null, hint: undefined },
  ]);
  expect(mail.mails[0]!.text).toContain('Nothing is wrong');
  await expect(engine.notifications.test('nobody', never)).rejects.toThrow(RequestRefusedError);
});

test('what would not reach anybody is found by a check, which tells nobody anything', async () => {
  const engine = await world.start(polled);
  const never = new AbortController().signal;
  expect(await engine.notifications.check(never)).toEqual([]);
  await hook[Symbol.asyncDispose]();
  await mail[Symbol.asyncDispose]();
  const problems = await engine.notifications.check(never);
  expect(problems).toMatchObject([
    { place: 'notifications.chat', severity: 'error', message: expect.stringContaining('cannot be reached: ECONNREFUSED') },
    { place: 'notifications.ops', severity: 'error', message: expect.stringContaining('ECONNREFUSED') },
  ]);
  expect(JSON.stringify(problems)).not.toMatch(/hook-path-secret|mail-password/);
  expect(hook.posted).toEqual([]);
  expect(mail.mails).toEqual([]);
});
