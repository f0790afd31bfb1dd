import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AccessDeniedError } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import type { AnyConnector } from '../../config/config.ts';
import { parseConfig } from '../../config/load-config.ts';
import { Engine } from '../../control/engine.ts';
import { ParkedClock, StreamWorld } from '../../control/live-fixture.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { familiesOf, lint } from './lint-fixture.ts';

// Who watches a fleet asks every few seconds, for all that there is, and relies on names, units and labels.

const minute = 60_000;
const never = new AbortController().signal;

describe('of a process that follows a stream and runs syncs', () => {
  let world: StreamWorld;
  let metrics: Metrics;

  beforeEach(async () => {
    world = await StreamWorld.open();
    world.beside = { notifications: { chat: { webhook: { url: 'https://127.0.0.1/' } } } };
    await world.write(['people', '1', { name: 'Kent' }]);
    await world.start({ places: { live: false, every: '1m', startDelay: '1s', retry: { attempts: 1 } } });
    await world.clock.advance(minute);
    metrics = await createMetrics(world.engine, world.clock.now, '1.2.3');
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const values = async () => {
    const samples = [...familiesOf(await metrics.text()).values()].flatMap((family) => family.samples);
    return (name: string, labels: Record<string, string> = {}) =>
      samples.find(
        (sample) =>
          sample.name === `tidemark_${name}` && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
      )?.value;
  };

  test('names, units, help and types are what Prometheus asks for', async () => {
    metrics.observe(await world.engine.run('people', { full: true, signal: never }));
    metrics.answered('people', 202);
    const text = await metrics.text();
    expect(familiesOf(text).size).toBeGreaterThan(50);
    expect(lint(text)).toEqual([]);
    expect(lint('# HELP a_ms x\n# TYPE a_ms counter\na_ms{B="1"} 1\na_ms{B="1"} 2\nb 1\n')).toEqual([
      'a_ms: counters end in _total',
      'a_ms: takes another unit than the base one',
      'a_ms: the label B',
      expect.stringContaining('a_ms: the same sample twice'),
      'a_ms: the label B',
      'b: no help text',
      expect.stringContaining('b: no type'),
    ]);
  });

  // A label by which somebody else decides how many series there are (a record, a path, a message) fills a disk.
  test('every label takes what the configuration, or we, have named', async () => {
    metrics.observe(await world.engine.run('people', { full: true, signal: never }));
    const bounded: Record<string, RegExp> = {
      ...{ sync: /^(people|places)$/, stream: /^live:src:dst$/, unit: /^[a-z:]+$/, connection: /^(src|dst)$/ },
      ...{ from: /^src$/, to: /^dst$/, receiver: /^chat$/, version: /^1\.2\.3$/, transport: /^\w*$/, direction: /^one-way$/ },
      ...{ state: /^[a-z ]+$/, kind: /^[a-z]+$/, outcome: /^[a-z]+$/, priority: /^[a-z]+$/, le: /^[\d.+Inf]+$/ },
    };
    const ours = [...familiesOf(await metrics.text())].filter(([name]) => name.startsWith('tidemark_'));
    for (const { name, labels } of ours.flatMap(([, { samples }]) => samples)) {
      for (const [label, value] of Object.entries(labels))
        expect(`${name} ${value}`).toMatch(new RegExp(`^${name} ${bounded[label]?.source.slice(1) ?? 'nothing'}`));
    }
  });

  test('the page of operations names each of them, and none besides', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/operations.md'), 'utf8');
    const table = page.slice(page.indexOf('## Metrics'), page.indexOf('Worth an alert'));
    const told = new Set([...table.matchAll(/^\| (`tidemark_.*?) \|/gm)].flatMap(([, names]) => names!.match(/tidemark_\w+/g)!));
    const there = [...familiesOf(await metrics.text()).keys()].filter((name) => name.startsWith('tidemark_'));
    expect([...told].sort()).toEqual(there.sort());
  });

  test('each sync tells its direction, and by how much it is behind', async () => {
    metrics.observe(await world.engine.run('people', { full: true, signal: never }));
    const before = await values();
    expect(before('sync_info', { sync: 'places', direction: 'one-way', from: 'src', to: 'dst' })).toBe(1);
    expect(before('records_written_total', { sync: 'people', from: 'src', to: 'dst', outcome: 'created' })).toBe(0);
    expect(before('sync_lag_seconds', { sync: 'people' })).toBe(0);
    expect(before('sync_lag_events', { sync: 'people' })).toBe(0);
    expect(before('sync_lag_events', { sync: 'places' })).toBeUndefined();
    expect(before('sync_lag_seconds', { sync: 'places' })).toBeLessThanOrEqual(60);
    const commit = world.holdCommits();
    await world.write(['people', '2', { name: 'Lane' }]);
    world.unreadable.set('places', new AccessDeniedError('no'));
    await world.clock.advance(10 * minute);
    const behind = await values();
    expect(behind('sync_lag_events', { sync: 'people' })).toBe(1);
    expect(behind('sync_lag_seconds', { sync: 'people' })).toBeGreaterThan(500);
    expect(behind('sync_lag_seconds', { sync: 'places' })).toBeGreaterThan(500);
    expect(behind('last_run_succeeded', { sync: 'places' })).toBe(0);
    expect(behind('notifications_waiting', { receiver: 'chat' })).toBe(1);
    commit();
    await world.clock.advance(minute);
    expect((await values())('sync_lag_events', { sync: 'people' })).toBe(0);
  });

  test('a two-way sync tells what it wrote to which side', async () => {
    const counts = { read: 5, created: 1, updated: 2, unchanged: 0, deleted: 0, failed: 0, dropped: 0 };
    metrics.observe({
      ...{ sync: 'pairs', kind: 'delta', state: 'succeeded', counts, durationMs: 10 },
      sides: [
        { connection: 'crm', created: 1, updated: 0, deleted: 0 },
        { connection: 'app', created: 0, updated: 2, deleted: 0 },
      ],
    });
    const value = await values();
    expect(value('records_written_total', { sync: 'pairs', from: 'app', to: 'crm', outcome: 'created' })).toBe(1);
    expect(value('records_written_total', { sync: 'pairs', from: 'crm', to: 'app', outcome: 'updated' })).toBe(2);
  });

  test('whoever asks at the same time is told the same', async () => {
    const texts = await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
    for (const text of texts) expect(lint(text)).toEqual([]);
    expect(new Set(texts).size).toBe(1);
  });

  test('runs that somebody asked for are counted with those that were due', async () => {
    world.runs.length = 0;
    await world.engine.run('people', { full: true, signal: never });
    await world.engine.retry('people', { signal: never });
    expect(world.runs).toEqual(['people full succeeded', 'people retry succeeded']);
  });
});

test('a thousand syncs of a thousand orgs cost a scrape as many statements as one', async () => {
  const asked: string[] = [];
  const counting = (store: Store): Store =>
    new Proxy(store, {
      get(of, name) {
        const member = Reflect.get(of, name);
        if (typeof member === 'object' && member !== null) return counting(member as Store);
        if (typeof member !== 'function') return member;
        return (...values: unknown[]) => {
          asked.push(String(name));
          return Reflect.apply(member, of, values);
        };
      },
    });
  await using store = await openStore(':memory:');
  const statements = async (syncs: number) => {
    const names = Array.from({ length: syncs }, (_, i) => `s${i}`);
    const yaml = JSON.stringify({
      connections: { app: { type: 'memory' }, ...Object.fromEntries(names.map((name) => [`org-${name}`, { type: 'memory' }])) },
      syncs: Object.fromEntries(
        names.map((name) => [
          name,
          {
            from: { connection: `org-${name}`, dataset: 'a' },
            to: { connection: 'app', dataset: name },
            live: true,
            every: '1h',
          },
        ]),
      ),
    });
    const connectors = [createMemoryConnector({ memory: new Memory() }) as unknown as AnyConnector];
    const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const clock = new ParkedClock();
    const engine = new Engine({ config, store: counting(store), clock, random: seededRandom(1), log, fetch });
    const metrics = await createMetrics(engine, clock.now, '1.2.3');
    asked.length = 0;
    const text = await metrics.text();
    expect(familiesOf(text).get('tidemark_open_failures')!.samples).toHaveLength(syncs);
    await engine[Symbol.asyncDispose]();
    return asked.length;
  };
  const one = await statements(1);
  expect(one).toBeGreaterThan(2);
  expect(await statements(1000)).toBe(one);
});
