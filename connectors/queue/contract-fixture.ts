import { newRow, type Row, type Target } from '@tidemark/core';
import {
  describeSourceContract,
  describeTargetContract,
  type SourceFixture,
  type TargetFixture,
  type TargetTraits,
} from '@tidemark/testkit';
import { emptyRow, openSource, openTarget, type Place, readAll, schema } from './fixture.ts';

const never = new AbortController().signal;

/** The contracts of sources and targets, in one kind of database. */
export function describeContracts(name: string, create: () => Promise<Place>, runs: number): void {
  const traits: TargetTraits = { compares: false, checkpoints: true, loads: false, typed: false, runs };
  describeTargetContract(name, () => createTarget(create), traits);
  describeSourceContract(name, () => createSource(create), {
    delta: true,
    deletes: true,
    stamps: false,
    full: false,
    severalPages: 2500,
    runs,
  });
}

/** Whoever reads a queue from its beginning can tell what there is. */
async function createTarget(create: () => Promise<Place>): Promise<TargetFixture> {
  const place = await create();
  const connection = place.connect();
  return {
    open: ({ schema: arriving, deletes, dataset: queue = 'contacts' }) =>
      openTarget(connection, arriving, { queue, deletes, unit: queue === 'other' ? queue : 'contract' }),
    async rows(wanted, queue = 'contacts') {
      const rows = new Map<string, Row>();
      const source = await openSource(place.connect({ keep: '30d' }), { queue, unit: 'looks' });
      for (const { key, row } of (await readAll(source, (await source.mark(never))!)).changes) {
        if (row === null) rows.delete(key);
        else {
          const found = emptyRow(wanted);
          for (const { name } of wanted.fields) found[name] = row[name] ?? null;
          rows.set(key, found);
        }
      }
      return rows;
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

async function createSource(create: () => Promise<Place>): Promise<SourceFixture> {
  const place = await create();
  const connection = place.connect({ keep: '30d' });
  const target: Target = await openTarget(connection, schema);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire('producer');
  const commit = { epoch, settle: async () => null };
  return {
    open: (spec) =>
      connection.openSource!(
        { from: { queue: 'contacts' }, unit: 'reads', where: undefined, fields: null, exclude: [], startAtMs: null, ...spec },
        never,
      ),
    async put(records) {
      const rowOf = (id: string, name: string | null) => Object.assign<Row, Row>(newRow(), { Id: id, Name: name });
      const changes = records.map(({ id, name, stampMs }) => ({ op: 'upsert' as const, key: id, row: rowOf(id, name), stampMs }));
      await target.write(changes, commit, never);
    },
    async remove(ids) {
      const changes = ids.map((key) => ({ op: 'delete' as const, key, row: null, stampMs: 0 }));
      await target.write(changes, commit, never);
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}
