import type { BackdoorRoute } from './backdoor.ts';
import { changeAtRandom, type RandomChangeKind } from './random-changes.ts';
import { readList, readNumber, readText, refuseUnknown } from './read.ts';
import { applyWrite } from './writes.ts';

const pageRows = 2000;

export const recordRoutes: readonly BackdoorRoute[] = [
  {
    // One committed transaction.
    method: 'POST',
    path: '/records',
    answer: ({ body }, { org }) => ({
      results: org.write((transaction) => readList(body, 'writes').map((write) => applyWrite(transaction, write))),
    }),
  },
  {
    method: 'POST',
    path: '/changes',
    answer({ body }, { org }) {
      refuseUnknown(body, ['object', 'records', 'seed', 'kind', 'values']);
      return changeAtRandom(org, {
        object: readText(body, 'object'),
        records: readNumber(body, 'records'),
        seed: readNumber(body, 'seed', 1),
        kind: (body.kind ?? 'update') as RandomChangeKind,
      });
    },
  },
  {
    method: 'GET',
    path: '/count',
    answer({ query }, { org }) {
      const where = query.get('where');
      const soql = `SELECT COUNT() FROM ${query.get('object')}${where === null ? '' : ` WHERE ${where}`}`;
      return { count: org.query(soql, { all: query.get('all') === 'true' }).totalSize };
    },
  },
  {
    // Everything that a query finds, without pages or limits: what a test compares a target with.
    method: 'GET',
    path: '/query',
    answer({ query }, { org }) {
      const result = org.query(query.get('q') ?? '', { all: query.get('all') === 'true' });
      const records: unknown[] = [];
      for (let offset = 0; offset < result.totalSize; offset += pageRows) records.push(...result.page(offset, pageRows, 'v62.0'));
      return { totalSize: result.totalSize, records };
    },
  },
];
