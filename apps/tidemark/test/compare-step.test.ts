import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import salesforce from '@tidemark/connector-salesforce';
import {
  type AnyConnector,
  type Change,
  Engine,
  newRow,
  openStore,
  parseConfig,
  type Row,
  systemClock,
  type Target,
} from '@tidemark/core';
import { expect, test } from 'vitest';

// What a target holds already is not written to it, though it does not recognise it by itself.                             (P8)

const never = new AbortController().signal;
const text = (name: string) => ({ name, type: 'text' as const, nullable: name !== 'id' });
const log = { debug() {}, info() {}, warn() {}, error() {} };

/** A target that neither compares nor loads: everything that it is given is a write of its system. */
function plainTarget(target: Target, written: string[], readable: boolean): Target {
  return Object.assign(Object.create(target) as Target, {
    compares: false,
    beginLoad: undefined,
    ...(!readable && { read: undefined }),
    write: (changes: readonly Change[], ...rest: [Parameters<Target['write']>[1], AbortSignal]) => {
      written.push(...changes.map(({ op, key }) => `${op} ${key}`));
      return target.write(changes, ...rest);
    },
  });
}

async function createWorld(steps: string, readable = true) {
  const [source, sink] = [new Memory(), new Memory()];
  const people = source.define({ name: 'people', key: ['id'], fields: ['id', 'name', 'note'].map(text) });
  const written: string[] = [];
  const inner = createMemoryConnector({ memory: sink });
  const open: typeof inner.open = (...args) => {
    const opened = inner.open(...args);
    return { ...opened, openTarget: async (...spec) => plainTarget(await opened.openTarget!(...spec), written, readable) };
  };
  const connectors = [
    { ...createMemoryConnector({ memory: source }), name: 'people' },
    { ...inner, name: 'plain', open },
  ] as unknown as AnyConnector[];
  const yaml = `
    connections: { src: { type: people, datasets: {} }, out: { type: plain, datasets: {} } }
    syncs: { s: { from: { connection: src, dataset: people }, to: { connection: out, dataset: copy }, fields: { id: id, name: name }${steps} } }`;
  const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
  const store = await openStore(':memory:');
  const row = (values: Record<string, string | null>) => Object.assign<Row, Row>(newRow(), values);
  return {
    put: (id: string, name: string, note: string) => people.put(row({ id, name, note })),
    remove: (id: string) => people.remove(id),
    copy: sink.dataset('copy'),
    row,
    async run() {
      written.length = 0;
      await using engine = new Engine({ config, store, clock: systemClock, random: () => 0.5, log, fetch });
      const report = await engine.run('s', { signal: never });
      return { report, written: [...written] };
    },
  };
}

const compare = ', steps: [ { compare: { against: target } } ]';

test('only records that differ from what the target holds are written, whoever wrote it', async () => {
  const world = await createWorld(compare);
  for (const id of ['a', 'b', 'c']) world.put(id, `name of ${id}`, 'first');
  // Somebody has filled the target before.
  world.copy.set('a', { row: world.row({ id: 'a', name: 'name of a' }), stampMs: null, deletedAtMs: null }, 0);
  const first = await world.run();
  expect(first.written).toEqual(['upsert b', 'upsert c']);
  expect(first.report.counts).toMatchObject({ read: 3, unchanged: 1 });
  world.put('a', 'name of a', 'a note that is not mapped');
  world.put('b', 'another name', 'first');
  world.remove('c');
  world.remove('never was');
  expect((await world.run()).written).toEqual(['delete c', 'upsert b']);
  // What others have changed is no reason to write; the next change of the record mends it.
  world.copy.put(world.row({ id: 'b', name: 'changed there' }));
  expect((await world.run()).written).toEqual([]);
  world.put('b', 'another name', 'second');
  expect((await world.run()).written).toEqual(['upsert b']);
});

test('a target that cannot be read back is refused by name', async () => {
  const world = await createWorld(compare, false);
  world.put('a', 'x', 'y');
  const { report } = await world.run();
  expect(report.state).toBe('failed');
  expect(report.error?.message).toContain('cannot be read back');
});

test('a target that can compare by itself is told to, where it is an object', () => {
  const yaml = (to: string) => `
    connections:
      src: { type: memory, datasets: {} }
      crm: { type: salesforce, loginUrl: "https://example.my.salesforce.com", auth: { flow: client-credentials, clientId: a, clientSecret: "\${S}" } }
    syncs: { s: { from: { connection: src, dataset: people }, to: { connection: crm, ${to} }, steps: [ { compare: { against: target } } ] } }`;
  const connectors = [createMemoryConnector({}), salesforce] as unknown as AnyConnector[];
  const read = (to: string) =>
    parseConfig(yaml(to), { file: '/tidemark.yaml', env: { S: 'secret' }, connectors }).syncs.get('s')!.to.spec;
  expect(read('object: Enrichment__c, key: External_Id__c')).toMatchObject({ compare: true });
  expect(read('object: Enrichment__c, key: External_Id__c, compare: false')).toMatchObject({ compare: false });
  expect(read('topic: /event/Sync_Request__e')).not.toHaveProperty('compare');
});
