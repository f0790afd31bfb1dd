import { answersAnything, type DescribedOperation, describedOperations } from '@tidemark/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiWorld } from './fixture.ts';

// Everything that can be asked of a running process, by whom, and what it answers to what it does not understand.

let api: ApiWorld;
let described: DescribedOperation[];

beforeAll(async () => {
  api = await ApiWorld.open();
  api.world.put('1', 'Ann', 1);
  api.world.put('2', 'Bo', 2);
  described = await describedOperations(api, { sync: 's', connection: 'src', id: '1' });
});
afterAll(() => api[Symbol.asyncDispose]());

const operations = () => described;

describe('who may ask (P10)', () => {
  test('nobody without a token, whatever is asked', async () => {
    expect(operations().length).toBeGreaterThan(30);
    for (const { method, path } of operations()) {
      const { status, body } = await api.ask(method, path, { as: null });
      expect([method, path, status, body.error.code]).toEqual([method, path, 401, 'token_missing']);
    }
  });

  test('nobody with a token that is not known, nearly is, or was revoked', async () => {
    const { token, issued } = await api.engine.tokens.issue('leaver', 'admin');
    const with_ = (given: string) => api.ask('GET', '/api/v1/me', { as: null, headers: { authorization: `Bearer ${given}` } });
    expect((await with_(token)).status).toBe(200);
    const [head, id] = token.split('_') as [string, string];
    const secret = token.slice(`${head}_${id}_`.length);
    const last = secret.at(-1) === 'A' ? 'B' : 'A';
    for (const wrong of [
      `${token}A`,
      `${head}_${id}_${secret.slice(0, -1)}${last}`,
      `${head}_000000000000_${secret}`,
      'x',
      issued.id,
    ]) {
      expect((await with_(wrong)).body.error.code).toBe('token_wrong');
    }
    await api.engine.tokens.revoke(issued.id);
    expect((await with_(token)).body.error.code).toBe('token_wrong');
  });

  test('only whose role is enough: whoever reads changes nothing, whoever operates grants nothing', async () => {
    const changing = operations().filter(({ method, path }) => method !== 'GET' && !path.endsWith('/plan'));
    for (const { method, path } of changing) {
      const { status } = await api.ask(method, path, { as: 'read', body: {} });
      expect([method, path, status]).toEqual([method, path, 403]);
    }
    const granting = operations().filter(({ path }) => /\/(tokens|audit|configuration)/.test(path));
    expect(granting.length).toBeGreaterThan(4);
    for (const { method, path } of granting) {
      const { status, body } = await api.ask(method, path, { as: 'operate', body: method === 'GET' ? undefined : {} });
      expect([method, path, status]).toEqual([method, path, 403]);
      expect(body.error.hint).toContain('--role admin');
    }
  });

  test('no page of another origin, though it has a token', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example:4600']) {
      const { status, body } = await api.ask('GET', '/api/v1/syncs', { headers: { origin } });
      expect([status, body.error.code]).toEqual([403, 'origin_refused']);
    }
    expect((await api.ask('GET', '/api/v1/syncs', { headers: { origin: api.url } })).status).toBe(200);
  });

  test('a token is told once: neither the list nor the store holds it', async () => {
    const { status, body } = await api.ask('POST', '/api/v1/tokens', { body: { name: 'grafana', role: 'read' } });
    expect(status).toBe(201);
    const list = await api.ask('GET', '/api/v1/tokens');
    expect(list.body.map(({ name }: { name: string }) => name)).toContain('grafana');
    expect(JSON.stringify([list.body, await api.world.store.access.tokens()])).not.toContain(body.token.slice(-20));
    expect((await api.ask('DELETE', `/api/v1/tokens/${body.issued.id}`)).status).toBe(200);
    expect((await api.ask('DELETE', `/api/v1/tokens/${body.issued.id}`)).status).toBe(422);
  });

  test('what changes something is on record, and who asked for it', async () => {
    await api.ask('POST', '/api/v1/syncs/s/pause', { as: 'operate' });
    await api.ask('POST', '/api/v1/syncs/s/resume', { as: 'operate' });
    await api.ask('POST', '/api/v1/syncs/s/pause?as=me', { as: 'read' });
    const { body } = await api.ask('GET', '/api/v1/audit?limit=3');
    expect(body).toMatchObject([
      { what: 'POST /api/v1/syncs/s/pause', status: 403, who: expect.stringMatching(/^a read \(/), from: '127.0.0.1' },
      { what: 'POST /api/v1/syncs/s/resume', status: 200, who: expect.stringMatching(/^a operate \(/) },
      { what: 'POST /api/v1/syncs/s/pause', status: 200 },
    ]);
  });
});

describe('what is asked is done', () => {
  test('a run that somebody asks for, and what came of it (004-8)', async () => {
    const { status, body } = await api.ask('POST', '/api/v1/syncs/s/runs', { as: 'operate', body: { full: true } });
    expect([status, body.state]).toEqual([202, 'running']);
    expect(await api.ended(body.id)).toMatchObject({
      state: 'done',
      result: { kind: 'full', state: 'succeeded', counts: { created: 2 } },
    });
    const runs = await api.ask('GET', '/api/v1/runs?sync=s', { as: 'read' });
    expect(runs.body[0]).toMatchObject({ sync: 's', kind: 'full', counts: { created: 2 } });
    expect((await api.ask('GET', `/api/v1/runs/${runs.body[0].id}`)).body).toEqual(runs.body[0]);
    const older = await api.ask('GET', `/api/v1/runs?sync=s&before=${runs.body[0].id}`);
    expect(older.body).toEqual(runs.body.slice(1));
  });

  test('a comparison of both sides', async () => {
    const { body } = await api.ask('POST', '/api/v1/syncs/s/verify', { body: {} });
    expect(await api.ended(body.id)).toMatchObject({ state: 'done', result: { verified: 2, differences: 0 } });
  });

  test('what the next run would do', async () => {
    const { body } = await api.ask('POST', '/api/v1/syncs/s/plan', { as: 'read' });
    expect(await api.ended(body.id)).toMatchObject({ state: 'done', result: { sync: 's', kind: 'delta' } });
  });

  test('a refused record is told with what to do, and tried again when it is mended', async () => {
    api.world.poison.add('3');
    api.world.put('3', 'Cy', 3);
    await api.ask('POST', '/api/v1/syncs/s/runs', { body: {} });
    await api.operations.idle();
    const { body: failures } = await api.ask('GET', '/api/v1/failures?sync=s');
    expect(failures).toMatchObject([{ key: '3', code: 'poison', row: { name: 'Cy' }, remedy: expect.stringContaining('retry') }]);
    const overview = await api.ask('GET', '/api/v1/syncs', { as: 'read' });
    expect(overview.body).toMatchObject([{ sync: 's', openFailures: 1, canRun: true }]);
    api.world.poison.clear();
    const retried = await api.ask('POST', '/api/v1/failures/retry', { body: { sync: 's', ids: [failures[0].id] } });
    expect(await api.ended(retried.body.id)).toMatchObject({ state: 'done' });
    expect((await api.ask('GET', '/api/v1/failures')).body).toEqual([]);
  });

  test('long lists come page by page', async () => {
    for (const key of ['7', '8', '9']) {
      api.world.poison.add(key);
      api.world.put(key, 'Di', 9);
    }
    await api.ask('POST', '/api/v1/syncs/s/runs', { body: {} });
    await api.operations.idle();
    const seen: { readonly id: string; readonly key: string }[] = [];
    for (let after = '0'; ; ) {
      const { body } = await api.ask('GET', `/api/v1/failures?limit=2&after=${after}`);
      if (body.length === 0) break;
      seen.push(...body);
      after = body.at(-1).id;
    }
    expect(seen.map(({ key }) => key).toSorted()).toEqual(['7', '8', '9']);
    api.world.poison.clear();
    await api.ask('POST', '/api/v1/failures/retry', { body: { sync: 's', ids: seen.map(({ id }) => id) } });
    await api.operations.idle();
    expect((await api.ask('GET', '/api/v1/failures?after=0')).body).toEqual([]);
    expect((await api.ask('GET', '/api/v1/conflicts?before=9')).body).toEqual([]);
    expect((await api.ask('GET', '/api/v1/conflicts?before=x')).status).toBe(400);
  });

  test('one sync: what it is made of, with what was noted at it', async () => {
    const { body } = await api.ask('GET', '/api/v1/syncs/s', { as: 'read' });
    expect(body).toMatchObject({
      overview: { sync: 's', paused: false },
      outline: {
        direction: 'one-way',
        notes: 'the people',
        blocks: [
          { kind: 'source', title: 'src people' },
          { kind: 'target', title: 'dst copy' },
        ],
      },
    });
  });

  test('changes are told to whoever listens', async () => {
    const listening = new AbortController();
    const response = await fetch(`${api.url}/api/v1/events`, {
      headers: { authorization: `Bearer ${api.token('read')}` },
      signal: listening.signal,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    const hear = async (wanted: string) => {
      while (!heard.includes(wanted)) heard += (await events.read()).value ?? '';
    };
    await hear('event: syncs\ndata: [{"sync":"s"');
    await api.ask('POST', '/api/v1/syncs/s/runs', { body: {} });
    await hear('event: operation\n');
    await hear('"state":"done"');
    listening.abort();
  });
});

describe('what cannot be is told with what to do', () => {
  test.each([
    ['GET', '/api/v1/syncs/nothing', undefined, 404, 'there is no sync nothing'],
    ['POST', '/api/v1/syncs/nothing/runs', {}, 404, 'there is no sync nothing'],
    ['POST', '/api/v1/connections/nothing/test', undefined, 404, 'there is no connection nothing'],
    ['GET', '/api/v1/runs/999999999', undefined, 404, 'there is no run 999999999'],
    ['GET', '/api/v1/runs/x', undefined, 400, 'is no id'],
    ['GET', '/api/v1/runs?limit=0', undefined, 400, 'limit'],
    ['POST', '/api/v1/conflicts/resolve', { ids: ['9'], choice: { side: 'src' } }, 404, 'there is no conflict 9'],
    ['POST', '/api/v1/conflicts/resolve', { ids: [], choice: { side: 'src' } }, 400, 'ids'],
    ['POST', '/api/v1/syncs/s/runs', { fully: true }, 400, 'fully'],
    ['POST', '/api/v1/syncs/s/runs', '{', 400, 'JSON'],
    ['POST', '/api/v1/syncs/s/replay', {}, 202, ''],
    ['POST', '/api/v1/tokens', { name: ' ', role: 'read' }, 422, 'a token needs a name'],
    ['POST', '/api/v1/tokens', { name: 'x', role: 'owner' }, 400, 'role'],
    ['GET', '/api/v1/nothing', undefined, 404, 'there is nothing at GET /api/v1/nothing'],
  ])('%s %s %j', async (method, path, body, status, message) => {
    const answered = await api.ask(method, path, { body });
    expect([answered.status, JSON.stringify(answered.body)]).toEqual([status, expect.stringContaining(message)]);
    await api.operations.idle();
  });

  test('whatever is sent: an answer, and never that we did not expect it', async () => {
    const withBody = operations().filter(({ operation }) => operation.requestBody !== undefined);
    expect(withBody.length).toBeGreaterThan(10);
    const names = [
      'ids',
      'sync',
      'full',
      'keys',
      'choice',
      'text',
      'name',
      'role',
      'from',
      'to',
      'version',
      'connection',
      'repair',
    ];
    const values = fc.constantFrom({ side: 'src' }, { value: null }, { ms: 0 }, 's', 'read');
    const asked = operations().filter(({ path }) => !path.endsWith('/events'));
    await answersAnything(api, asked, { names, values, numRuns: 150 });
    expect(api.told).toEqual([]);
  });
});

test('the description names every operation, what it takes, and what it may answer instead', () => {
  for (const { method, path, operation } of operations()) {
    expect([method, path, operation.summary.length > 10]).toEqual([method, path, true]);
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['4XX', '5XX']));
  }
});

test('the page to read it is ours: nothing is fetched from elsewhere', async () => {
  const page = await fetch(`${api.url}/api-docs/`);
  expect(page.status).toBe(200);
  const html = await page.text();
  for (const [, url] of html.matchAll(/(?:src|href)="(https?:[^"]*)"/g)) expect(url).toContain(api.url);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
});
