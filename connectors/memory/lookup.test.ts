import { newRow, type Row, systemClock } from '@tidemark/core';
import { describeLookupContract } from '@tidemark/testkit';
import { createMemoryConnector, Memory } from './connector.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const context = { connection: 'trial', clock: systemClock, random: Math.random, log, fetch, baseDir: '.' };

describeLookupContract('memory', async () => {
  const memory = new Memory();
  const fields = ['Id', 'Name', 'Phone'].map((name) => ({ name, type: 'text' as const, nullable: name !== 'Id' }));
  const firms = memory.define({ name: 'firms', key: ['Id'], fields });
  const connection = createMemoryConnector({ memory }).open({ datasets: {} }, context);
  return {
    open: (spec) => connection.openLookup!({ lookup: { dataset: 'firms' }, ...spec }, new AbortController().signal),
    async put(records) {
      records.forEach(({ name, phone }, i) => {
        firms.put(Object.assign<Row, Row>(newRow(), { Id: String(i), Name: name, Phone: phone }));
      });
    },
    async [Symbol.asyncDispose]() {},
  };
});
