import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import salesforce from '@tidemark/connector-salesforce';
import {
  type AnyConnector,
  Engine,
  newRow,
  openStore,
  type PlannedWrite,
  parseConfig,
  type Row,
  type Store,
  sumOfCalls,
} from '@tidemark/core';
import type { Emulator } from '@tidemark/emulator';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasty, orgWith, quiet, signal, tracesOf } from './dry-run-fixture.ts';

// What a dry run tells is what a run then sends: the same records, the same fields, from what the org had to what it has then, in
// as many calls as the org itself counts. And it leaves no trace, neither there nor here (P8).

const keys = ['a', 'b', 'c', 'd', 'e', 'f'] as const;

interface Values {
  readonly name?: string;
  readonly site?: string | null;
  readonly staff?: string | number | null;
  readonly seen?: string | null;
}
type Edit =
  | { readonly on: 'source' | 'org'; readonly do: 'put'; readonly key: string; readonly values: Values }
  | { readonly on: 'source' | 'org'; readonly do: 'delete'; readonly key: string };

const values = fc.record<Values>(
  {
    name: fc.constantFrom('Acme', ' Acme ', 'Globex', 'x'.repeat(200)),
    site: fc.constantFrom(null, 'https://a.example', 'https://b.example'),
    staff: fc.constantFrom<string | number | null>(null, 1, 2, '2.00', 2.4),
    seen: fc.constantFrom(null, '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.678Z'),
  },
  { requiredKeys: [] },
);
const unspeakable = fc.record<Values>({ staff: fc.constant('many') });
const edit = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      on: fc.constant('source' as const),
      do: fc.constant('put' as const),
      key: fc.constantFrom(...keys),
      values,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      on: fc.constant('source' as const),
      do: fc.constant('put' as const),
      key: fc.constantFrom(...keys),
      values: unspeakable,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      on: fc.constant('org' as const),
      do: fc.constant('put' as const),
      key: fc.constantFrom(...keys),
      values,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      on: fc.constantFrom('source' as const, 'org' as const),
      do: fc.constant('delete' as const),
      key: fc.constantFrom(...keys),
    }),
  },
) as fc.Arbitrary<Edit>;
const settings = fc.record({
  compare: fc.boolean(),
  operation: fc.constantFrom('upsert', 'update', undefined),
  bulkAbove: fc.constantFrom(1, 2, 1000),
  recordsPerCall: fc.constantFrom(1, 2, 200),
});

class World implements AsyncDisposable {
  readonly source = new Memory();
  readonly emulator: Emulator;
  readonly store: Store;
  /** What the engine has sent to be written, by path and body. */
  readonly sent: { readonly method: string; readonly path: string; readonly body: string }[] = [];
  #at = Date.UTC(2026, 0, 1);

  private constructor(emulator: Emulator, store: Store) {
    this.emulator = emulator;
    this.store = store;
    const field = (name: string, type: 'text' | 'decimal' | 'datetime' = 'text') => ({ name, type, nullable: true });
    const fields = [field('id'), field('name'), field('site'), field('staff'), field('seen'), field('changedAt', 'datetime')];
    this.source.define({ name: 'companies', key: ['id'], fields }, 'changedAt');
  }

  static async open(): Promise<World> {
    const emulator = await orgWith('Code__c', (schema) => {
      const seen = { custom: true, createable: true, updateable: true, name: 'Seen__c', label: 'Seen', nillable: true };
      return [{ ...schema.field('Account', 'LastModifiedDate')!, ...seen }];
    });
    return new World(emulator, await openStore(':memory:'));
  }

  async engine(to: object, sync: object = {}): Promise<Engine> {
    const { loginUrl, clientId, clientSecret } = this.emulator.credentials;
    const yaml = JSON.stringify({
      connections: {
        app: { type: 'memory', datasets: {} },
        crm: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
      },
      syncs: {
        companies: {
          from: { connection: 'app', dataset: 'companies' },
          to: { connection: 'crm', object: 'Account', key: 'Code__c', ...to },
          fields: { Code__c: 'id', Name: 'name', Website: 'site', AnnualRevenue: 'staff', Seen__c: 'seen' },
          ...sync,
        },
      },
    });
    const connectors = [createMemoryConnector({ memory: this.source }), salesforce] as unknown as AnyConnector[];
    const config = parseConfig(yaml, { file: 'tidemark.yaml', env: {}, connectors });
    const clock = { ...hasty, now: () => this.#at };
    const noting: typeof fetch = async (input, init) => {
      const url = new URL(String(input));
      const method = init?.method ?? 'GET';
      const reads = method === 'GET' || /\/composite$|\/composite\/sobjects\/Account$|oauth/.test(url.pathname);
      if (reads) return this.emulator.fetch(input, init);
      // A job's file comes in pieces.
      const body = await new Response(init?.body ?? null).text();
      this.sent.push({ method, path: url.pathname + url.search, body });
      return this.emulator.fetch(input, { ...init, body: body === '' ? null : body });
    };
    return new Engine({ config, store: this.store, clock, random: Math.random, log: quiet, fetch: noting });
  }

  play(edit: Edit): void {
    this.#at += 1000;
    if (edit.on === 'source') {
      if (edit.do === 'delete') return void this.source.dataset('companies').remove(edit.key, this.#at);
      const row = { id: edit.key, name: `Company ${edit.key}`, site: null, staff: null, seen: null };
      const changedAt = new Date(this.#at).toISOString();
      return void this.source.dataset('companies').put(Object.assign(newRow(), row, edit.values, { changedAt }) as Row);
    }
    const id = this.records().get(edit.key)?.Id as string | undefined;
    this.emulator.org.write((transaction) => {
      if (edit.do === 'delete') {
        if (id !== undefined) transaction.delete('Account', id);
        return;
      }
      const { name, site, staff, seen } = edit.values;
      const changed = { Name: name?.trim(), Website: site, AnnualRevenue: staff, Seen__c: seen };
      const values = Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined)) as never;
      if (id !== undefined) transaction.update('Account', id, values);
      else transaction.insert('Account', { Name: 'of the org', ...(values as object), Code__c: edit.key } as never);
    });
  }

  has(key: string): boolean {
    return [...this.source.dataset('companies').rows()].some(([each]) => each === key);
  }

  /** By the key. */
  records(): Map<string, Record<string, unknown>> {
    const found = this.emulator.org.query(
      'SELECT Id, Code__c, Name, Website, AnnualRevenue, Seen__c, SystemModstamp FROM Account WHERE Code__c != null',
    );
    const records = found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
    return new Map(records.map((record) => [String(record.Code__c), record]));
  }

  async traces(): Promise<unknown> {
    return [
      ...[this.records(), await tracesOf(this.store, 'companies')],
      ...[await this.store.seen('companies', keys), await this.store.getValue('target memory of companies')],
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.emulator.close();
  }
}

/** What went over the wire, by key: the fields of those that are made or changed, null for a delete. */
function onTheWire(sent: World['sent'], idToKey: ReadonlyMap<string, string>): Map<string, Record<string, unknown> | null> {
  const writes = new Map<string, Record<string, unknown> | null>();
  let operation = '';
  for (const { method, path, body } of sent) {
    if (method === 'DELETE') {
      const ids = new URL(path, 'http://x').searchParams.get('ids')!.split(',');
      for (const id of ids) writes.set(idToKey.get(id)!, null);
    } else if (path.endsWith('/jobs/ingest')) {
      operation = (JSON.parse(body) as { operation: string }).operation;
    } else if (path.endsWith('/batches')) {
      const [header, ...lines] = body.trimEnd().split('\n');
      for (const line of lines) {
        const cells = line.split(',').map((cell) => (/^".*"$/.test(cell) ? cell.slice(1, -1) : cell));
        const all = Object.fromEntries(header!.split(',').map((name, i) => [name, cells[i] === '#N/A' ? null : cells[i]]));
        const { Id, Code__c, ...fields } = all;
        const key = (Code__c as string | undefined) ?? idToKey.get(String(Id))!;
        // An empty cell says nothing.
        const said = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
        writes.set(key, operation === 'delete' ? null : said);
      }
    } else if (path.includes('/composite/sobjects')) {
      for (const { attributes: _, Id, Code__c, ...fields } of (JSON.parse(body) as { records: Record<string, unknown>[] })
        .records) {
        writes.set((Code__c as string | undefined) ?? idToKey.get(String(Id))!, fields);
      }
    }
  }
  return writes;
}

const text = (value: unknown) => (value === null || value === undefined || value === '' ? null : String(value));
const same = (field: string, a: unknown, b: unknown) =>
  field === 'Seen__c' && text(a) !== null && text(b) !== null
    ? Date.parse(text(a)!.replace('+0000', 'Z')) === Date.parse(text(b)!.replace('+0000', 'Z'))
    : field === 'AnnualRevenue' && text(a) !== null && text(b) !== null
      ? Number(a) === Number(b)
      : text(a) === text(b);

test('the records, fields and calls of a dry run are those of the run that follows, and it leaves no trace', () =>
  fc.assert(
    fc.asyncProperty(
      settings,
      fc.array(edit, { maxLength: 12 }),
      fc.array(edit, { maxLength: 12 }),
      fc.boolean(),
      async (to, earlier, later, full) => {
        await using world = await World.open();
        await using engine = await world.engine(JSON.parse(JSON.stringify(to)));
        for (const each of earlier) world.play(each);
        await engine.run('companies', { signal });
        for (const each of later) world.play(each);

        const before = world.records();
        const idToKey = new Map([...before].map(([key, { Id }]) => [String(Id), key]));
        const traces = await world.traces();
        const waiting = await world.store.failures({ sync: 'companies' });
        world.sent.length = 0;
        const planned: PlannedWrite[] = [];
        const dry = await engine.dryRun('companies', { signal, full, onWrite: (write) => planned.push(write) });
        expect(world.sent, 'a dry run sends nothing').toEqual([]);
        expect(await world.traces()).toEqual(traces);

        world.emulator.requests.reset();
        const report = await engine.run('companies', { signal, full });
        expect({ kind: report.kind, reason: report.reason, counts: report.counts }).toEqual({
          ...{ kind: dry.kind, reason: dry.reason },
          counts: dry.counts,
        });
        const written = planned.filter(({ effect }) => effect !== 'refused');
        const wire = onTheWire(world.sent, idToKey);
        expect(written.map(({ key }) => key).sort()).toEqual([...wire.keys()].sort());
        for (const { key, effect, fields, resent } of written) {
          const body = wire.get(key)!;
          expect({ key, effect, exists: before.has(key) }).toEqual({ key, effect, exists: effect !== 'create' });
          if (effect === 'delete') {
            expect(body).toBeNull();
            continue;
          }
          expect(Object.keys(body).length, `fields of ${key}`).toBe(fields.length + resent);
          for (const planned of fields) {
            expect(same(planned.field, body[planned.field], planned.after), `${key} ${planned.field}`).toBe(true);
            if (effect === 'update')
              expect(same(planned.field, before.get(key)![planned.field], planned.before), `${key} ${planned.field} before`).toBe(
                true,
              );
          }
        }
        const refused = planned.filter(({ effect }) => effect === 'refused').map(({ key, reason }) => [key, reason!.code]);
        // What waits for its next attempt is not tried.
        const failures = await world.store.failures({ sync: 'companies' });
        const tried = failures.filter(
          ({ key, attempts }) => attempts !== waiting.find((failure) => failure.key === key)?.attempts,
        );
        expect(refused.sort()).toEqual(tried.map(({ key, code }) => [key, code]).sort());

        const { apiCalls, byKind } = world.emulator.requests.totals();
        // A job is asked as often as it takes its time.
        const askedAgain = (byKind['ingest.status'] ?? 0) - (dry.calls?.bulkJobs ?? 0);
        expect(apiCalls - askedAgain, JSON.stringify(byKind)).toBe(dry.calls === null ? 0 : sumOfCalls(dry.calls));

        // After a clean run of everything the org's own ways of storing values are no difference, and anything else is (P12).
        if (!full) return;
        const verify = () => engine.verify('companies', { signal, repair: false });
        expect(await verify()).toMatchObject({ differences: 0, failing: failures.length });
        const key = keys.find((each) => world.records().has(each) && world.has(each) && !failures.some((f) => f.key === each));
        if (key === undefined) return;
        world.play({ on: 'org', do: 'put', key, values: { site: 'https://somebody-else.example' } });
        expect(await verify()).toMatchObject({ differences: 1, examples: [{ key, kind: 'different', fields: ['Website'] }] });
      },
    ),
    { numRuns: 60 },
  ));
