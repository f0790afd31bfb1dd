import {
  type Found,
  type Lookup,
  NotConnectedError,
  RequestRefusedError,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { httpLookup } from './config.ts';
import connector from './connector.ts';
import { type Answer, configFor, createContext, type Received, startServer } from './fixture.ts';

const never = new AbortController().signal;

function openLookup(url: string, lookup: object, { key = 'domain', fields = ['name'], connection = {} } = {}): Promise<Lookup> {
  const opened = connector.open(configFor(url, connection), createContext());
  return opened.openLookup!({ lookup: httpLookup.parse({ path: '/companies', ...lookup }), key, fields }, never);
}

const json = (value: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const plain = (found: ReadonlyMap<string, Found>) => JSON.parse(JSON.stringify(Object.fromEntries(found))) as unknown;
const asked = ({ path, body }: Received) =>
  body === '' ? new URL(path, 'http://x').searchParams.getAll('domain') : (JSON.parse(body) as { domain: string[] }).domain;

describe('a batch of values', () => {
  test.each(['GET', 'POST'] as const)('is asked for in one request (%s), whatever the values hold', async (method) => {
    const values = ['a.example', 'b,c&d=é', ' ', '?#/..', 'nobody'];
    await using server = await startServer((request) =>
      json(asked(request).flatMap((domain) => (domain === 'nobody' ? [] : [{ domain, name: `of ${domain}` }]))),
    );
    await using lookup = await openLookup(server.url, { method });
    expect(plain(await lookup.find(values, never))).toEqual(
      Object.fromEntries(values.filter((each) => each !== 'nobody').map((each) => [each, [{ name: `of ${each}` }]])),
    );
    expect(server.received.map(({ method: sent }) => sent)).toEqual([method]);
  });

  test('records are taken from where they are, several for a value, numbers and paths among them, with exact digits', async () => {
    await using server = await startServer(() => ({
      status: 200,
      body: '{"data":{"items":[{"id":12345678901234567890,"at":{"city":"Bern"},"n":7},{"id":1,"n":8},{"id":1,"at":null,"n":9},{"id":99}]}}',
    }));
    const spec = { records: 'data.items', types: { n: 'integer' }, parameter: 'ids' };
    await using lookup = await openLookup(server.url, spec, { key: 'id', fields: ['at.city', 'n'] });
    expect(plain(await lookup.find(['12345678901234567890', 1], never))).toEqual({
      '12345678901234567890': [{ 'at.city': 'Bern', n: 7 }],
      '1': [
        { 'at.city': null, n: 8 },
        { 'at.city': null, n: 9 },
      ],
    });
    expect(lookup.types).toEqual(
      new Map([
        ['at.city', 'text'],
        ['n', 'integer'],
      ]),
    );
    expect(server.received[0]!.path).toBe('/companies?ids=12345678901234567890&ids=1');
  });

  // One value that the system cannot take must not keep the others from being found, nor may it be taken for missing.   (P2)
  test('values that are refused are named, the others found', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(422, 500),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
        async (status, bad) => {
          // Three in a row are the server's fault: see below.
          fc.pre(status < 500 || bad.filter(Boolean).length < 3);
          await using server = await startServer((request) => {
            const values = asked(request);
            if (values.some((value) => bad[Number(value)])) return json({ message: 'not a domain' }, status);
            return json(values.map((domain) => ({ domain, name: 'n' })));
          });
          await using lookup = await openLookup(server.url, {}, { connection: { retries: 0 } });
          const found = await lookup.find(
            bad.map((_, i) => String(i)),
            never,
          );
          for (const [i, each] of bad.entries()) {
            if (each) expect(found.get(String(i))).toMatchObject({ refused: { code: `HTTP_${status}` } });
            else expect(found.get(String(i))).toMatchObject([{ name: 'n' }]);
          }
        },
      ),
      { numRuns: 30 },
    ));

  test('a query that is too long for a request line is asked in parts', async () => {
    await using server = await startServer((request) => json(asked(request).map((domain) => ({ domain, name: 'n' }))));
    await using lookup = await openLookup(server.url, {});
    const values = Array.from({ length: 100 }, (_, i) => `${i}-${'x'.repeat(300)}`);
    const found = await lookup.find([...values, 'y'.repeat(9000)], never);
    expect(values.every((value) => Array.isArray(found.get(value)))).toBe(true);
    expect(found.get('y'.repeat(9000))).toMatchObject({ refused: { message: expect.stringContaining('POST') } });
    expect(server.received.every(({ path }) => path.length <= 7500)).toBe(true);
  });

  test('an answer in pages is not taken for the whole: fewer are asked for', async () => {
    await using server = await startServer((request): Answer => {
      const values = asked(request);
      const body = JSON.stringify(values.slice(0, 2).map((domain) => ({ domain, name: 'n' })));
      return { status: 200, headers: values.length > 2 ? { link: '</companies?page=2>; rel="next"' } : {}, body };
    });
    await using lookup = await openLookup(server.url, {});
    expect((await lookup.find(['a', 'b', 'c', 'd', 'e'], never)).size).toBe(5);
  });

  test.each([
    [404, RequestRefusedError],
    [403, RequestRefusedError],
    [503, TransientError],
    [500, TransientError],
    ['hang up', NotConnectedError],
    [{ status: 200, body: '<html>' }, UnexpectedReplyError],
    [{ status: 200, body: '{"items":[],"total":0}' }, RequestRefusedError],
  ] as const)('%j is about the system, not the values: nothing goes past it', async (answer, expected) => {
    await using server = await startServer(() => answer);
    await using lookup = await openLookup(server.url, {}, { connection: { retries: 0 } });
    await expect(lookup.find(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], never)).rejects.toThrow(expected);
  });

  test('a server that answers 500 to everything is not asked again and again for each value', async () => {
    await using server = await startServer(() => 500);
    await using lookup = await openLookup(server.url, {}, { connection: { retries: 9 } });
    const values = Array.from({ length: 64 }, (_, i) => String(i));
    await expect(lookup.find(values, never)).rejects.toThrow(TransientError);
    // Down to the first three values with all retries, and each half of what remains once.
    expect(server.received.length).toBeLessThan(10 * 10 + 2 * 64);
  });

  test('a value of another type than was said is named, not passed on', async () => {
    await using server = await startServer(() => json([{ domain: 'a', name: 'x' }]));
    await using lookup = await openLookup(server.url, { types: { name: 'integer' } });
    expect(plain(await lookup.find(['a'], never))).toEqual({
      a: { refused: { code: 'LOOKUP_VALUE', message: 'what was found has no integer in name' } },
    });
  });

  test('an answer that would fill the memory is cut off and refused', async () => {
    await using server = await startServer(() => ({ status: 200, body: `["${'x'.repeat(17 * 1024 * 1024)}"]` }));
    await using lookup = await openLookup(server.url, {});
    await expect(lookup.find(['a'], never)).rejects.toThrow('longer than');
  });
});

describe('each value by its own path', () => {
  test('what is there is found, 404 is nothing, and a value that leads elsewhere is refused', async () => {
    await using server = await startServer(({ path }): Answer => {
      if (path === '/companies/none') return 404;
      return path === '/companies/bad' ? 400 : json({ name: decodeURIComponent(path) });
    });
    await using lookup = await openLookup(server.url, { path: '/companies/{value}' });
    expect(plain(await lookup.find(['a/b', 'none', 'bad', '..'], never))).toEqual({
      'a/b': [{ name: '/companies/a/b' }],
      bad: { refused: { code: 'HTTP_400', message: 'answered 400' } },
      '..': { refused: { code: 'PATH_VALUE', message: expect.stringContaining('elsewhere') } },
    });
  });
});
