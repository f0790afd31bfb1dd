import { DatabaseSync } from 'node:sqlite';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Workplace } from '../src/testing.ts';
import { ask, type HookProcess, killAll, send, signed, startProcess } from './hook-process.ts';

// What is answered 202 arrives, whatever becomes of the process; who waits is told what the target said.                 (P1, P2)

const token = 'a-token-of-at-least-sixteen';
const bearer = { authorization: `Bearer ${token}` };
let place: Workplace;
beforeEach(() => {
  place = new Workplace({ HOOK_TOKEN: token });
});
afterEach(() => {
  killAll();
  place[Symbol.dispose]();
});

describe('into a database', () => {
  const hook = {
    auth: { type: 'bearer', token: `\${HOOK_TOKEN}` },
    key: 'id',
    fields: { id: 'text', name: 'text', seats: 'integer' },
  };

  function configure(sync: object = {}, more: object = {}): void {
    const config = {
      connections: { db: { type: 'sqlite', path: './copy.db' } },
      syncs: { orders: { from: { hook: { ...hook, ...more } }, to: { connection: 'db', table: 'orders' }, ...sync } },
    };
    place.write('tidemark.yaml', JSON.stringify(config));
  }

  function rows(): Record<string, unknown>[] {
    using database = new DatabaseSync(place.path('copy.db'));
    return database.prepare('SELECT id, name, seats FROM orders ORDER BY id').all();
  }

  test('what is sent is kept before it is answered, arrives, and its receipt tells so', async () => {
    configure();
    const running = await startProcess(place);
    const answer = await send(`${running.url}/hooks/orders`, [{ id: 'a', name: 'One', seats: 2 }, { id: 'b' }], bearer);
    expect(answer.status).toBe(202);
    const href = answer.headers.get('location')!;
    expect(answer.body).toMatchObject({ href, status: 'pending', records: [{ key: 'a', status: 'pending' }, { key: 'b' }] });
    await vi.waitFor(async () => expect((await ask(`${running.url}${href}`, bearer)).body.status).toBe('done'), 90_000);
    expect(rows()).toEqual([
      { id: 'a', name: 'One', seats: 2 },
      { id: 'b', name: null, seats: null },
    ]);
    const again = await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'Two', seats: 2 }, bearer);
    expect(again).toMatchObject({ status: 200, body: { status: 'done', records: [{ key: 'a', status: 'updated' }] } });
    const same = await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'Two', seats: 2 }, bearer);
    expect(same.body.records).toEqual([{ key: 'a', status: 'unchanged' }]);
    const gone = await send(`${running.url}/hooks/orders?wait=60`, { id: 'b', _tidemark_deleted: true }, bearer);
    expect(gone.body.records).toEqual([{ key: 'b', status: 'deleted' }]);
    expect(rows()).toEqual([{ id: 'a', name: 'Two', seats: 2 }]);
    expect((await ask(`${running.url}${href}`)).status).toBe(401);
    expect((await ask(`${running.url}/hooks/orders/no-such-id`, bearer)).status).toBe(404);
    await running.stop('SIGTERM');
    expect(running.told()).not.toContain(token);
  });

  test('killed at any moment after 202, nothing of it is lost and nothing comes twice (P1)', async () => {
    configure({ every: '1s' });
    const sent: string[] = [];
    for (let life = 0; life < 3; life++) {
      const running = await startProcess(place);
      for (let i = 0; i < 5; i++) {
        const id = `${life}-${i}`;
        const { status } = await send(`${running.url}/hooks/orders`, { id, name: 'One' }, { ...bearer, 'idempotency-key': id });
        expect(status).toBe(202);
        sent.push(id);
      }
      // Some lives end before the first of it is written, some in between, some after.
      if (life % 2 === 1) await vi.waitFor(() => expect(rows().length).toBeGreaterThan(0), 90_000);
      await running.stop();
    }
    const running = await startProcess(place);
    const last = await send(`${running.url}/hooks/orders?wait=60`, { id: 'last' }, bearer);
    expect(last.status).toBe(200);
    expect(rows().map(({ id }) => id)).toEqual([...sent, 'last'].toSorted());
    // The receipt of a post of an earlier life is settled, and its key still stands for it.
    const again = await send(`${running.url}/hooks/orders`, { id: '0-0', name: 'One' }, { ...bearer, 'idempotency-key': '0-0' });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body.status).toBe('done');
    await running.stop('SIGTERM');
  });

  test('one key is one post: the same again is known, another body under it is refused', async () => {
    configure();
    const running = await startProcess(place);
    const once = { ...bearer, 'idempotency-key': 'k1' };
    const first = await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'One' }, once);
    await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'Two' }, bearer);
    const again = await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'One' }, once);
    expect(again.body.id).toBe(first.body.id);
    expect(rows()).toMatchObject([{ name: 'Two' }]);
    const other = await send(`${running.url}/hooks/orders`, { id: 'a', name: 'Three' }, once);
    expect(other).toMatchObject({ status: 422, body: { error: { code: 'idempotency_key_reused' } } });
    await running.stop('SIGTERM');
  });

  test('an older version that is sent late does not overwrite a newer one (P3)', async () => {
    configure({}, { fields: { ...hook.fields, changed: 'datetime' }, stamp: 'changed' });
    const running = await startProcess(place);
    const at = (second: number) => `2026-05-01T10:00:0${second}Z`;
    await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'newer', changed: at(5) }, bearer);
    const late = await send(`${running.url}/hooks/orders?wait=60`, { id: 'a', name: 'older', changed: at(4) }, bearer);
    expect(late.body.records).toEqual([{ key: 'a', status: 'unchanged' }]);
    expect(rows()).toMatchObject([{ name: 'newer' }]);
    await running.stop('SIGTERM');
  });

  test('who waits for a paused sync is told that it is kept, and it is', async () => {
    configure();
    let running = await startProcess(place);
    await send(`${running.url}/hooks/orders?wait=60`, { id: 'a' }, bearer);
    await place.call('pause', 'orders');
    const waited = await send(`${running.url}/hooks/orders?wait=1`, { id: 'b' }, bearer);
    expect(waited).toMatchObject({
      status: 504,
      body: {
        status: 'pending',
        error: { code: 'outcome_pending', hint: expect.stringContaining(waited.headers.get('location')!) },
      },
    });
    await running.stop('SIGTERM');
    await place.call('resume', 'orders');
    running = await startProcess(place);
    await vi.waitFor(() => expect(rows()).toHaveLength(2), 90_000);
    await running.stop('SIGTERM');
  });

  test('a start that nobody could reach is refused', async () => {
    configure();
    const { exitCode, err } = await place.call('start', '--port', 'off');
    expect(exitCode).toBe(2);
    expect(err).toMatch(/orders is fed by a hook[\s\S]*--port/);
  });

  test('check, plan and status know a sync that nothing has been sent to yet', async () => {
    configure();
    expect(await place.call('check')).toMatchObject({ exitCode: 0 });
    expect((await place.call('plan')).out).toContain('orders');
    expect((await place.call('run', 'orders')).exitCode).toBe(0);
    expect((await place.call('status')).out).toContain('depth 0');
  });
});

describe('into Salesforce', () => {
  const secret = 'a-secret-of-the-sender';
  let emulator: Emulator;
  let running: HookProcess;

  beforeEach(async () => {
    emulator = await startEmulator({ records: 0 });
    emulator.automation.validationRules.define({
      object: 'Lead',
      name: 'Company_Is_Real',
      message: 'a company has a name',
      errorFormula: 'LEN(Company) < 3',
      field: 'Company',
    });
    const { schema } = emulator.org;
    const phone = schema.field('Lead', 'Phone')!;
    const key = { name: 'Source_Key__c', label: 'Source Key', custom: true, externalId: true, idLookup: true, unique: true };
    schema.add({ ...schema.object('Lead')!, fields: [{ ...phone, ...key, type: 'string' }] });
    const { loginUrl, clientId, clientSecret } = emulator.credentials;
    const config = {
      connections: {
        crm: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret: `\${SF_SECRET}` } },
      },
      syncs: {
        leads: {
          from: {
            hook: {
              auth: { type: 'hmac', secret: `\${HOOK_SECRET}` },
              key: 'email',
              fields: { email: 'text', lastName: { type: 'text', required: true, maxLength: 80 }, company: 'text' },
            },
          },
          to: { connection: 'crm', object: 'Lead', key: 'Source_Key__c' },
          fields: { Source_Key__c: 'email', Email: 'email', LastName: 'lastName', Company: 'company' },
        },
      },
    };
    place.env.SF_SECRET = clientSecret;
    place.env.HOOK_SECRET = secret;
    place.write('tidemark.yaml', JSON.stringify(config));
    running = await startProcess(place);
  });
  afterEach(async () => {
    await running.stop();
    await emulator.close();
  });

  const post = (record: object, query = '?wait=60') => {
    const body = JSON.stringify(record);
    return send(`${running.url}/hooks/leads${query}`, body, signed(secret, body));
  };
  const leads = () => {
    const found = emulator.org.query('SELECT Id, LastName, Company FROM Lead ORDER BY LastName');
    return found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
  };

  test('who waits gets Salesforce’s own answer: the id of the record, or why it was refused (P2)', async () => {
    const made = await post({ email: 'kent@acme.example', lastName: 'Kent', company: 'Acme' });
    const [lead] = leads();
    expect(made).toMatchObject({
      status: 200,
      body: { records: [{ key: 'kent@acme.example', status: 'created', id: lead!.Id }] },
    });

    const refused = await post({ email: 'lane@x.example', lastName: 'Lane', company: 'X' });
    expect(refused).toMatchObject({
      status: 422,
      body: {
        status: 'refused',
        error: { code: 'FIELD_CUSTOM_VALIDATION_EXCEPTION', message: expect.stringContaining('a company has a name') },
        records: [{ key: 'lane@x.example', status: 'refused', retried: true }],
      },
    });
    expect(leads()).toHaveLength(1);
    expect((await place.call('failures', 'list')).out).toContain('lane@x.example');

    // Mended and sent again, it does not wait for the next attempt of the one that was refused.
    const mended = await post({ email: 'lane@x.example', lastName: 'Lane', company: 'Xylo' });
    expect(mended).toMatchObject({ status: 200, body: { records: [{ status: 'created' }] } });
    expect(leads()).toMatchObject([{ LastName: 'Kent' }, { LastName: 'Lane', Company: 'Xylo' }]);
    expect((await place.call('failures', 'list')).out).not.toContain('lane@x.example');
    const href = `/hooks/leads/${refused.body.id}`;
    const earlier = await ask(`${running.url}${href}`, signed(secret, `GET ${href}`));
    expect(earlier.body.records).toEqual([expect.not.objectContaining({ retried: true })]);
  });

  test('some of many: each is told for itself', async () => {
    const records = ['Acme', 'X', 'Globex'].map((company, i) => ({ email: `${i}@x.example`, lastName: `L${i}`, company }));
    const answer = await post(records);
    expect(answer.status).toBe(422);
    expect(answer.body.records.map(({ status }: { status: string }) => status)).toEqual(['created', 'refused', 'created']);
    expect(leads()).toHaveLength(2);
  });

  test('while Salesforce cannot be reached it is kept, and arrives afterwards (P1)', async () => {
    await post({ email: 'first@x.example', lastName: 'First', company: 'Acme' });
    const fault = emulator.faults.add({ kind: 'unavailable' });
    const waited = await post({ email: 'kent@acme.example', lastName: 'Kent', company: 'Acme' }, '?wait=2');
    expect(waited).toMatchObject({ status: 504, body: { status: 'pending' } });
    emulator.faults.remove(fault);
    await vi.waitFor(() => expect(leads()).toHaveLength(2), 90_000);
    const { href } = waited.body;
    await vi.waitFor(async () => {
      const { body } = await ask(`${running.url}${href}`, signed(secret, `GET ${href}`));
      expect(body.records).toMatchObject([{ status: 'created' }]);
    }, 40_000);
  });

  test('a request that is recorded and sent again is the same post; a changed or an old one is refused', async () => {
    const body = JSON.stringify({ email: 'kent@acme.example', lastName: 'Kent', company: 'Acme' });
    const url = `${running.url}/hooks/leads?wait=60`;
    const headers = signed(secret, body);
    const first = await send(url, body, headers);
    await post({ email: 'kent@acme.example', lastName: 'Clark', company: 'Acme' });
    // Whoever recorded it may put a key of his own to it: it is signed as it was.
    const replayed = await send(url, body, { ...headers, 'idempotency-key': 'mine' });
    expect(replayed.body.id).toBe(first.body.id);
    expect(leads()).toMatchObject([{ LastName: 'Clark' }]);
    expect((await send(url, body.replace('Kent', 'Lane'), headers)).body.error.code).toBe('signature_wrong');
    expect((await send(url, body, signed(secret, body, Date.now() - 600_000))).body.error.code).toBe('signature_stale');
    expect((await send(url, body)).body.error.code).toBe('signature_missing');
    expect(leads()).toHaveLength(1);
  });
});
