import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createFetch } from '../../base/fetch.ts';
import { emailReceiver } from './email-receiver.ts';
import { testNotification } from './notification.ts';
import { HookReceiver, MailServer } from './receivers-fixture.ts';
import { webhookReceiver } from './webhook-receiver.ts';

// What is told goes to the receiver that was named and nowhere else, and no password goes there in the open.         (P10)

const never = new AbortController().signal;
const told = [testNotification('chat', 0)];

test.each(['http://127.0.0.1:9/', 'https://169.254.169.254/latest', 'https://inside.example.com/', 'https://[::1]/'])(
  'an address inside our own network is refused, whatever name leads to it: %s',
  async (url) => {
    // A name of somebody else's that means an address of ours.
    const fetch = createFetch({}, (_, __, done) => done(null, [{ address: '10.0.0.7', family: 4 }]));
    const receiver = webhookReceiver({ kind: 'webhook', url, secret: null, allowPrivate: false }, { clock: systemClock, fetch });
    await expect(receiver.send(told, never)).rejects.toThrow(/is not a public address/);
    await expect(receiver.check(never)).rejects.toThrow(/is not a public address/);
  },
);

test('a redirect is not followed: it may lead inside', async () => {
  await using hook = await HookReceiver.open();
  hook.status = 307;
  const config = { kind: 'webhook', url: hook.url, secret: null, allowPrivate: true } as const;
  const receiver = webhookReceiver(config, { clock: systemClock, fetch: createFetch({}) });
  await expect(receiver.send(told, never)).rejects.toThrow(/answered 307/);
  expect(hook.posted).toHaveLength(1);
  expect(hook.posted[0]!.headers['x-tidemark-signature']).toBeUndefined();
});

test('without TLS neither password nor mail goes out, unless somebody said that it may', async () => {
  await using server = await MailServer.open();
  const email = {
    kind: 'email',
    smtp: `smtp://me:my%20password@127.0.0.1:${server.port}`,
    from: 'tidemark@example.com',
    to: ['ops@example.com'],
  } as const;
  const guarded = emailReceiver({ ...email, requireTls: true });
  await expect(guarded.send(told, never)).rejects.toThrow(/STARTTLS/);
  await expect(guarded.check(never)).rejects.toThrow(/STARTTLS/);
  const credentials = Buffer.from('\0me\0my password').toString('base64');
  expect(server.heard).not.toContain(credentials);
  expect(server.mails).toEqual([]);
  const open = emailReceiver({ ...email, requireTls: false });
  await open.check(never);
  expect(server.mails).toEqual([]);
  await open.send(told, never);
  expect(server.heard).toContain(credentials);
  expect(server.mails).toMatchObject([{ from: '<tidemark@example.com>', to: ['<ops@example.com>'] }]);
  expect(server.mails[0]!.text).toMatch(/Message-ID: <[0-9a-f]{40}@tidemark>/i);
});

test('a mail server that hangs keeps no process from ending', async () => {
  await using server = await MailServer.open();
  server.hangs = true;
  const smtp = `smtp://127.0.0.1:${server.port}`;
  const receiver = emailReceiver({ kind: 'email', smtp, from: 'a@example.com', to: ['b@example.com'], requireTls: false });
  const stop = new AbortController();
  const sending = receiver.send(told, stop.signal);
  await server.connected();
  stop.abort();
  await expect(sending).rejects.toThrow(/mail server/);
  await server.left();
});
