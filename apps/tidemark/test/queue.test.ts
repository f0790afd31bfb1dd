import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryConnector, type Faults, Memory } from '@tidemark/connector-memory';
import queue from '@tidemark/connector-queue';
import { type AnyConnector, Engine, newRow, openStore, parseConfig, type Row, systemClock, TransientError } from '@tidemark/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';

// Two syncs with a queue between them do together what one would do: the target ends as the source is, whatever fails on the way,
// and it is changed by nothing but what happened in the source.                                                  (P1, P2, P4)

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-queue-'));
});
afterEach(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;
const text = (name: string, nullable = true) => ({ name, type: 'text' as const, nullable });
const log = { debug() {}, info() {}, warn() {}, error() {} };
let files = 0;

async function createWorld(options: { faults?: Faults; steps?: string } = {}) {
  const [source, target] = [new Memory(), new Memory()];
  const people = source.define({ name: 'people', key: ['id'], fields: [text('id', false), text('name'), text('firm')] });
  const firms = source.define({ name: 'firms', key: ['id'], fields: [text('id', false), text('domain'), text('label')] });
  const connectors = [
    { ...createMemoryConnector({ memory: source }), name: 'people' },
    { ...createMemoryConnector({ memory: target, ...(options.faults && { faults: options.faults }) }), name: 'copies' },
    queue,
  ] as unknown as AnyConnector[];
  const yaml = `
    connections:
      src: { type: people, datasets: {} }
      q: { type: queue, path: ${JSON.stringify(join(folder, `${files++}.db`))}, keep: 7d }
      out: { type: copies, datasets: {} }
    syncs:
      fill: { from: { connection: src, dataset: people }, to: { connection: q, queue: egress } }
      drain: { from: { connection: q, queue: egress }, to: { connection: out, dataset: copy }${options.steps ?? ''}, retry: { attempts: 1 } }`;
  const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
  const store = await openStore(':memory:');
  const engine = () => new Engine({ config, store, clock: systemClock, random: () => 0.5, log, fetch });
  const rowOf = (values: Record<string, string | null>) => Object.assign<Row, Row>(newRow(), values);
  return {
    people,
    target,
    engine,
    put: (id: string, name: string, firm: string | null = null) => people.put(rowOf({ id, name, firm })),
    firm: (id: string, domain: string, label: string) => firms.put(rowOf({ id, domain, label })),
    async run(sync: 'fill' | 'drain', full = false) {
      await using live = engine();
      return live.run(sync, { signal: never, ...(full && { full }) });
    },
    copy: () =>
      new Map(
        [...target.dataset('copy').rows()].flatMap(([key, { row, deletedAtMs }]) =>
          deletedAtMs === null ? [[key, row.name]] : [],
        ),
      ),
  };
}

test('creates, changes and deletes arrive in their order, whatever breaks off on the way', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.tuple(fc.nat(3), fc.constantFrom('one', 'two', null)), fc.constantFrom('fill', 'drain')), {
        maxLength: 25,
      }),
      fc.array(fc.boolean(), { maxLength: 12 }),
      async (story, breaks) => {
        const at = () => {
          if (breaks.pop()) throw new TransientError('Injected fault');
        };
        const world = await createWorld({ faults: { at } });
        for (const each of story) {
          if (each === 'fill') await world.run('fill');
          else if (typeof each === 'string') await world.run('drain').catch(() => {});
          else if (each[1] === null) world.people.remove(`k${each[0]}`);
          else world.put(`k${each[0]}`, each[1]);
        }
        breaks.length = 0;
        await world.run('fill');
        expect((await world.run('drain')).state).toBe('succeeded');
        expect(world.copy()).toEqual(new Map([...world.people.rows()].map(([key, { row }]) => [key, row.name])));
        const before = world.target.dataset('copy').written;
        expect(await world.run('drain')).toMatchObject({ kind: 'delta', counts: { read: 0 } });
        expect(world.target.dataset('copy').written).toBe(before);
      },
    ),
    { numRuns: 25 },
  ));

test('a full run brings all that is kept once more, and deletes nothing that the queue knows nothing of', async () => {
  const world = await createWorld();
  for (const id of ['a', 'b', 'c']) world.put(id, 'first');
  await world.run('fill');
  await world.run('drain');
  world.people.remove('b');
  await world.run('fill');
  await world.run('drain');
  world.target.dataset('copy').put(Object.assign<Row, Row>(newRow(), { id: 'foreign', name: 'kept', firm: null }));
  world.target.dataset('copy').remove('a');
  expect(await world.run('drain', true)).toMatchObject({ kind: 'full', state: 'succeeded' });
  expect(world.copy()).toEqual(
    new Map([
      ['foreign', 'kept'],
      ['c', 'first'],
      ['a', 'first'],
    ]),
  );
  await using engine = world.engine();
  await expect(engine.verify('drain', { signal: never, repair: false })).rejects.toThrow('reads changes');
});

test('what waits in the queue is told', async () => {
  const world = await createWorld();
  world.put('a', 'first');
  await world.run('fill');
  await world.run('drain');
  await using engine = world.engine();
  const status = (await engine.status()).find(({ sync }) => sync === 'drain');
  expect(status?.checkpoint).toEqual({ queue: 'egress', depth: '0' });
});

test('records are looked up on their way; one whose partner comes later waits as a failure and passes then', async () => {
  const steps = `, steps: [ { lookup: { connection: src, dataset: firms, key: domain, by: firm, fields: { firmId: id, label: label }, missing: fail } } ],
               fields: { id: id, name: "= name & ' of ' & label", firm: firmId }`;
  const world = await createWorld({ steps });
  world.firm('1', 'a.com', 'A');
  world.put('x', 'Ada', 'a.com');
  world.put('y', 'Bo', 'b.com');
  await world.run('fill');
  expect((await world.run('drain')).counts).toMatchObject({ created: 1, failed: 1 });
  expect(world.copy()).toEqual(new Map([['x', 'Ada of A']]));
  world.firm('2', 'b.com', 'B');
  await using engine = world.engine();
  const [failure] = await engine.failures({ sync: 'drain' });
  expect(failure).toMatchObject({ key: 'y', code: 'lookup_missing', place: 'steps[0] lookup' });
  await engine.retry('drain', { signal: never, ids: [failure!.id] });
  expect(world.copy()).toEqual(
    new Map([
      ['x', 'Ada of A'],
      ['y', 'Bo of B'],
    ]),
  );
});

// A retry cannot read its record anew: what it holds must then be known to have been through the steps, or not.
test('a later change of a record that could not be looked up is written as it is, once its turn comes (P2)', async () => {
  const steps = `, steps: [ { lookup: { connection: src, dataset: firms, key: domain, by: firm, fields: { firmId: id }, missing: fail } } ],
               fields: { id: id, name: name, firm: firmId }`;
  const world = await createWorld({ steps });
  world.put('y', 'Bo', 'b.com');
  await world.run('fill');
  await world.run('drain');
  world.firm('2', 'b.com', 'B');
  world.put('y', 'Bob', 'b.com');
  await world.run('fill');
  expect((await world.run('drain')).counts).toMatchObject({ read: 1, created: 0 });
  await using engine = world.engine();
  const [failure] = await engine.failures({ sync: 'drain' });
  expect((await engine.retry('drain', { signal: never, ids: [failure!.id] })).counts).toMatchObject({ created: 1, failed: 0 });
  expect(world.copy()).toEqual(new Map([['y', 'Bob']]));
  expect(world.target.dataset('copy').get('y')?.row.firm).toBe('2');
  expect(await engine.failures({ sync: 'drain' })).toEqual([]);
});
