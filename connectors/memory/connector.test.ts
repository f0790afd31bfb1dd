import { newRow, type Row, systemClock } from '@tidemark/core';
import {
  describeSourceContract,
  describeTargetContract,
  type SourceFixture,
  sqlTraits,
  type TargetFixture,
} from '@tidemark/testkit';
import { createMemoryConnector, Memory } from './connector.ts';

const context = {
  connection: 'trial',
  clock: systemClock,
  random: Math.random,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  fetch,
  baseDir: '.',
};

async function createTarget(): Promise<TargetFixture> {
  const memory = new Memory();
  const connection = createMemoryConnector({ memory }).open({ datasets: {} }, context);
  const dataset = memory.dataset('contacts');
  const to = (name: 'contacts' | 'other' = 'contacts') => ({ to: { dataset: name }, unit: name === 'other' ? name : 'contract' });
  const marked = () => [...dataset.rows()].filter(([, { deletedAtMs }]) => deletedAtMs !== null).map(([key]) => key);
  return {
    open: ({ schema, deletes, dataset: name }) =>
      connection.openTarget!({ ...to(name), schema, deletes }, AbortSignal.timeout(60_000)),
    openStreamWriter: (targets) => connection.openStreamWriter!(targets),
    rows: async (_schema, name = 'contacts') =>
      new Map(
        [...memory.dataset(name).rows()]
          .filter(([, { deletedAtMs }]) => deletedAtMs === null)
          .map(([key, { row }]) => [key, row]),
      ),
    insertForeign: async (row) => dataset.put(row),
    marked: async () => marked(),
    writes: async () => dataset.written,
    async [Symbol.asyncDispose]() {},
  };
}

async function createSource(): Promise<SourceFixture> {
  const memory = new Memory();
  const fields = (['Id', 'Name', 'ModifiedAt'] as const).map((name) => ({
    name,
    type: name === 'ModifiedAt' ? ('datetime' as const) : ('text' as const),
    nullable: name === 'Name',
  }));
  const dataset = memory.define({ name: 'Contact', key: ['Id'], fields }, 'ModifiedAt');
  const connection = createMemoryConnector({ memory }).open({ datasets: {} }, context);
  return {
    open: (spec) =>
      connection.openSource!(
        { from: { dataset: 'Contact' }, where: undefined, fields: null, exclude: [], startAtMs: null, ...spec },
        AbortSignal.timeout(60_000),
      ),
    async put(records) {
      for (const { id, name, stampMs } of records) {
        const values = { Id: id, Name: name, ModifiedAt: new Date(stampMs).toISOString() };
        dataset.put(Object.assign<Row, Row>(newRow(), values));
      }
    },
    async remove(ids) {
      for (const id of ids) dataset.remove(id);
    },
    async [Symbol.asyncDispose]() {},
  };
}

describeTargetContract('memory', createTarget, { ...sqlTraits, streams: true, runs: 200 });
describeSourceContract('memory', createSource, { delta: true, deletes: true, stamps: true, severalPages: 2500 });
