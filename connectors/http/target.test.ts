import { createHash, createHmac } from 'node:crypto';
import {
  AccessDeniedError,
  type Change,
  type DeleteRule,
  keyOf,
  NotConnectedError,
  newRow,
  RateLimitedError,
  RequestRefusedError,
  type Row,
  TransientError,
  UnexpectedReplyError,
  type WriteResult,
} from '@tidemark/core';
import {
  contact,
  contactSchema,
  describeTargetContract,
  hostileTexts,
  remove,
  type TargetFixture,
  upsert,
} from '@tidemark/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { httpTo } from './config.ts';
import connector from './connector.ts';
import { type Answer, configFor, createContext, type Received, SleepLog, startServer } from './fixture.ts';

const never = new AbortController().signal;

async function openTarget(
  url: string,
  to: object,
  { deletes = 'mirror' as DeleteRule, clock = new SleepLog(), connection = {}, unit = 'contract', schema = contactSchema } = {},
) {
  const opened = connector.open(configFor(url, connection), createContext(clock));
  const target = await opened.openTarget!({ to: httpTo.parse(to), unit, schema, deletes }, never);
  const write = (...changes: Change[]) => target.write(changes, { epoch: 1, settle: async () => null }, never);
  return { target, write, clock };
}

/** A server that keeps what it is told, as the user's own would, in each manner in which it can be told. */
function createFixture(to: object) {
  return async (): Promise<TargetFixture> => {
    const rows = new Map<string, Row>();
    let keyFields = contactSchema.key;
    const server = await startServer(({ method, path, body }) => {
      if (method === 'DELETE') return rows.delete(decodeURIComponent(path.split('/').at(-1)!)) ? 204 : 404;
      for (const each of [JSON.parse(body) as object].flat()) {
        const { op, key, row } = 'op' in each ? (each as Change) : changeIn(each as Row, keyFields);
        if (op === 'delete') rows.delete(key);
        else rows.set(key, Object.assign(newRow(), row));
      }
      return 200;
    });
    return {
      async open({ deletes, schema }) {
        keyFields = schema.key;
        return (await openTarget(server.url, to, { deletes, schema })).target;
      },
      rows: async () => rows,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  };
}

const changeIn = (row: Row, keyFields: readonly string[]) => ({
  op: '_tidemark_deleted' in row ? 'delete' : 'upsert',
  key: keyOf(row, keyFields)!,
  row,
});

const traits = { compares: false, checkpoints: false, loads: false, typed: false };
describeTargetContract('http, a webhook for each change,', createFixture({ path: '/hook', body: 'change' }), traits);
describeTargetContract('http, batches of rows,', createFixture({ path: '/rows', batch: 7 }), traits);
describeTargetContract('http, a resource for each record,', createFixture({ path: '/contacts/{$key}', method: 'PUT' }), {
  ...traits,
  // Those that would lead to another resource are refused: see path-template.test.ts.
  keys: hostileTexts.filter((text) => !/\p{Cc}/u.test(text) && text !== '\\.'),
});

describe('requests', () => {
  test('one for each record, with its fields in their order', async () => {
    await using server = await startServer(() => 201);
    const { write } = await openTarget(`${server.url}/v1/`, { path: '/contacts/{Id}?by={$key}&kind=a', method: 'PATCH' });
    const row = contact('a/b?c#d&é', { Name: 'Ada' });
    expect(await write(upsert(row, 1000))).toEqual([{ status: 'updated' }]);
    const [request] = server.received;
    expect([request!.method, request!.path]).toEqual([
      'PATCH',
      '/v1/contacts/a%2Fb%3Fc%23d%26%C3%A9?by=a%2Fb%3Fc%23d%26%C3%A9&kind=a',
    ]);
    expect(request!.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'tidemark' });
    expect(request!.body).toBe(JSON.stringify(row));
  });

  test('deletes are DELETE requests where a path names the record, and what is not there is as it should be', async () => {
    await using server = await startServer(({ path }) => (path.endsWith('gone') ? 404 : 204));
    const { write } = await openTarget(server.url, { path: '/contacts', deletePath: '/contacts/{Id}' });
    expect(await write(remove('a', 1000), remove('gone', 1000))).toEqual([{ status: 'deleted' }, { status: 'unchanged' }]);
    expect(server.received.map(({ method, path, body }) => `${method} ${path} ${body}`).sort()).toEqual([
      'DELETE /contacts/a ',
      'DELETE /contacts/gone ',
    ]);
  });

  test.each([
    ['where no path names the record', { path: '/contacts' }, 'mirror'],
    ['in a batch', { path: '/contacts', batch: 2 }, 'mirror'],
    ['when that is wished', { path: '/contacts/{Id}', deleteBy: 'tombstone' }, 'mirror'],
    ['for deletes: mark', { path: '/contacts/{Id}' }, 'mark'],
  ] as const)('deletes are tombstones %s', async (_, to, deletes) => {
    await using server = await startServer(() => 200);
    const { write } = await openTarget(server.url, to, { deletes });
    expect(await write(remove('a', 1000))).toEqual([{ status: 'deleted' }]);
    expect([JSON.parse(server.received[0]!.body)].flat()).toEqual([{ Id: 'a', _tidemark_deleted: true }]);
    expect(server.received[0]!.method).toBe('POST');
  });

  test.each([
    [{ path: '/{Nmae}' }, 'mirror', 'there is no field Nmae'],
    [{ path: '/{Name}' }, 'mirror', 'the path of deletes: there is no field Name'],
    [{ path: '/{Name}' }, 'mark', 'path: there is no field Name'],
  ] as const)('a path that cannot be made is refused before anything is sent: %j %s', async (to, deletes, message) => {
    const opening = openTarget('http://127.0.0.1:1', to, { deletes });
    await expect(opening).rejects.toThrow(RequestRefusedError);
    await expect(opening).rejects.toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining('Id'),
    });
  });
});

describe('answers', () => {
  // One refused record is a failure with the system's own reason; its neighbours are not held up.                     (P2)
  test('each record has its own result, with a short reason and no secret', async () => {
    const token = 'very-secret-token';
    await using server = await startServer(({ path, headers }): Answer => {
      if (path !== '/bad') return 200;
      const body = JSON.stringify({ errors: [{ message: `no such\nplan for ${headers.authorization} ${'x'.repeat(900)}` }] });
      return { status: 422, headers: { 'content-type': 'application/problem+json' }, body };
    });
    const { registerSecret } = await import('@tidemark/core');
    registerSecret(token);
    const { write } = await openTarget(server.url, { path: '/{Id}' }, { connection: { auth: { type: 'bearer', token } } });
    const results = await write(upsert(contact('a'), 1), upsert(contact('bad'), 1), upsert(contact('c'), 1));
    expect(results.map(({ status }) => status)).toEqual(['updated', 'rejected', 'updated']);
    const { reason } = results[1] as Extract<WriteResult, { status: 'rejected' }>;
    expect(reason.code).toBe('HTTP_422');
    expect(reason.message).toMatch(/^answered 422: no such plan for Bearer \[secret\] x+…$/);
    expect(reason.message.length).toBeLessThan(400);
  });

  test('a page of HTML is no reason', async () => {
    await using server = await startServer(() => ({ status: 403, headers: { 'content-type': 'text/html' }, body: '<h1>No' }));
    const { write } = await openTarget(server.url, { path: '/a' });
    expect(await write(upsert(contact('a'), 1))).toEqual([
      { status: 'rejected', reason: { code: 'HTTP_403', message: 'answered 403' } },
    ]);
  });

  test.each([
    ['a lost connection', 'hang up'],
    ['503', 503],
    ['408', 408],
    ['500', 500],
  ] as const)('%s is sent again, with growing waits and the same Idempotency-Key', async (_, fault) => {
    await using server = await startServer((_request, at) => (at < 3 ? fault : 200));
    const { write, clock } = await openTarget(server.url, { path: '/a' });
    expect(await write(upsert(contact('a'), 1000))).toEqual([{ status: 'updated' }]);
    expect(server.received).toHaveLength(4);
    expect(new Set(server.received.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(clock.waitsMs).toHaveLength(3);
    expect(clock.waitsMs.every((ms, i) => ms <= 500 * 2 ** i)).toBe(true);
  });

  test('Retry-After is honoured, in seconds and as a date; a long wait is left to the engine', async () => {
    const now = new SleepLog().now();
    const waits = ['7', new Date(now + 20_000).toUTCString(), '3600'];
    await using server = await startServer((_, at) => ({ status: 429, headers: { 'retry-after': waits[at]! } }));
    const { write, clock } = await openTarget(server.url, { path: '/a' });
    const writing = write(upsert(contact('a'), 1000));
    await expect(writing).rejects.toThrow(RateLimitedError);
    await expect(writing).rejects.toMatchObject({ retryAfterMs: 3_600_000 });
    // The date is told in whole seconds, and 7 of them have gone by.
    expect(clock.waitsMs).toEqual([7000, 20_000 - 7000 - (now % 1000)]);
  });

  test.each([
    [503, TransientError],
    [429, RateLimitedError],
    ['hang up', NotConnectedError],
    [401, AccessDeniedError],
    [{ status: 302, headers: { location: 'https://elsewhere.example/login' } }, RequestRefusedError],
  ] as const)('%j for good ends the write, and nothing is settled (P1)', async (fault, expected) => {
    await using server = await startServer(() => fault);
    const { target } = await openTarget(server.url, { path: '/secret-token-in-path' }, { connection: { retries: 1 } });
    let settled = 0;
    const settle = async () => {
      settled++;
      return null;
    };
    const writing = target.write([upsert(contact('a'), 1)], { epoch: 1, settle }, never);
    await expect(writing).rejects.toThrow(expected);
    await expect(writing).rejects.not.toThrow('secret-token');
    expect(settled).toBe(0);
  });

  // A record that a server stumbles over must not hold up the others for ever, and a server that is down must not turn every
  // record into a failure.                                                                                              (P2)
  test('500 for one record is its failure; 500 for all of them is the server', async () => {
    await using server = await startServer(({ path }) => (path.startsWith('/bad') ? 500 : 200));
    const { write } = await openTarget(server.url, { path: '/{Id}' }, { connection: { retries: 0, concurrency: 1 } });
    const results = await write(upsert(contact('a'), 1), upsert(contact('bad1'), 1));
    expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : 'ok'))).toEqual(['ok', 'HTTP_500']);
    await expect(write(...['bad1', 'bad2', 'bad3', 'bad4'].map((id) => upsert(contact(id), 1)))).rejects.toThrow(TransientError);
    // One that it takes tells that it is there, wherever it stands among them.
    for (const ids of [
      ['a', 'bad1', 'bad2', 'bad3', 'bad4'],
      ['bad1', 'bad2', 'bad3', 'bad4', 'a'],
    ]) {
      const statuses = (await write(...ids.map((id) => upsert(contact(id), 1)))).map(({ status }) => status);
      expect(statuses).toEqual(ids.map((id) => (id === 'a' ? 'updated' : 'rejected')));
    }
  });

  test('a server that answers 500 to everything is not asked again and again for each record', async () => {
    await using server = await startServer(() => 500);
    const { write } = await openTarget(server.url, { path: '/{Id}' }, { connection: { retries: 9, concurrency: 1 } });
    await expect(write(...Array.from({ length: 20 }, (_, i) => upsert(contact(`k${i}`), 1)))).rejects.toThrow(TransientError);
    expect(server.received).toHaveLength(3 * 10 + 17);
  });

  test('what is taken with a long answer is taken', async () => {
    await using server = await startServer(() => ({ status: 200, body: 'x'.repeat(6_000_000) }));
    const { write } = await openTarget(server.url, { path: '/a' });
    expect(await write(upsert(contact('a'), 1))).toEqual([{ status: 'updated' }]);
  });

  test('when a write is given again after a fault, what was answered before is not sent again', async () => {
    let down = true;
    await using server = await startServer(({ path }) => (path === '/c' && down ? 503 : 200));
    const { write } = await openTarget(server.url, { path: '/{Id}' }, { connection: { retries: 0, concurrency: 1 } });
    const changes = ['a', 'b', 'c', 'd'].map((id) => upsert(contact(id), 1));
    await expect(write(...changes)).rejects.toThrow(TransientError);
    down = false;
    expect(await write(...changes)).toHaveLength(4);
    expect(server.received.map(({ path }) => path)).toEqual(['/a', '/b', '/c', '/c', '/d']);
    // A later write is a new one, though it holds the same.
    await write(changes[0]!);
    expect(server.received).toHaveLength(6);
  });
});

describe('batches', () => {
  test('a batch that is refused is halved until the record is named; the others arrive (P2)', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.array(fc.boolean(), { maxLength: 25 }), async (batch, bad) => {
        const taken: string[] = [];
        await using server = await startServer(({ body }) => {
          const rows = [JSON.parse(body) as Row].flat() as Row[];
          if (rows.some(({ Active }) => Active === true)) return { status: 400, body: '{"message":"Active is not for us"}' };
          taken.push(...rows.map(({ Id }) => String(Id)));
          return 200;
        });
        const { write } = await openTarget(server.url, { path: '/rows', batch });
        const results = await write(...bad.map((Active, i) => upsert(contact(`k${i}`, { Active }), 1)));
        expect(results.map(({ status }) => status)).toEqual(bad.map((each) => (each ? 'rejected' : 'updated')));
        expect(taken.sort()).toEqual(bad.flatMap((each, i) => (each ? [] : [`k${i}`])).sort());
      }),
      { numRuns: 30 },
    ));

  test('207 tells of each record; one that cannot be understood is no success', async () => {
    let body = JSON.stringify([{ status: 200 }, { status: 409, error: 'exists' }]);
    await using server = await startServer(() => ({ status: 207, body }));
    const { write } = await openTarget(server.url, { path: '/rows', batch: 2 });
    const changes = [upsert(contact('a'), 1), upsert(contact('b'), 1)];
    expect(await write(...changes)).toEqual([
      { status: 'updated' },
      { status: 'rejected', reason: { code: 'HTTP_409', message: 'answered 409: exists' } },
    ]);
    for (body of ['', '[]', '{"ok":true}', '[{"status":200},{}]']) {
      await expect(write(...changes)).rejects.toThrow(UnexpectedReplyError);
    }
  });
});

describe('webhooks', () => {
  const secret = 'a shared secret of some length';
  const signed = { auth: { type: 'hmac', secret } };

  test('each request is signed: HMAC-SHA256 over its time and its very bytes', async () => {
    await using server = await startServer(() => 200);
    const { write, clock } = await openTarget(server.url, { path: '/hook', body: 'change' }, { connection: signed });
    await write(upsert(contact('a', { Name: 'é 👍' }), 1000));
    const { headers, body } = server.received[0] as Received;
    const timestamp = String(Math.floor(clock.now() / 1000));
    expect(headers['x-tidemark-timestamp']).toBe(timestamp);
    const expected = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
    expect(headers['x-tidemark-signature']).toBe(`sha256=${expected}`);
  });

  test('a request that comes again after a crash carries the same key; another version, sync or record another one', async () => {
    await using server = await startServer(() => 200);
    const ada = upsert(contact('a', { Name: 'Ada' }), 1000);
    // Each in a process of its own, as after a crash.
    const send = async (change: Change, unit = 'contacts') => {
      const { write } = await openTarget(server.url, { path: '/hook', body: 'change' }, { unit });
      await write(change);
      return String(server.received.at(-1)!.headers['idempotency-key']);
    };
    const first = await send(ada);
    expect(first).toMatch(/^[0-9a-f]{40}$/);
    expect(await send({ ...ada, row: contact('a', { Name: 'Ada' }) })).toBe(first);
    const others = [
      await send({ ...ada, stampMs: 2000 }),
      await send(upsert(contact('a', { Name: 'Eve' }), 1000)),
      await send(upsert(contact('b', { Name: 'Ada' }), 1000)),
      await send(remove('a', 1000)),
      await send(ada, 'others'),
    ];
    expect(new Set([first, ...others]).size).toBe(6);
  });

  test('the whole of a large body is signed and sent', async () => {
    await using server = await startServer(() => 200);
    const { write } = await openTarget(server.url, { path: '/hook' }, { connection: signed });
    const row = contact('a', { Name: '👍'.repeat(300_000) });
    await write(upsert(row, 1));
    const hash = (text: string) => createHash('sha256').update(text).digest('hex');
    expect(hash(server.received[0]!.body)).toBe(hash(JSON.stringify(row)));
  });
});
