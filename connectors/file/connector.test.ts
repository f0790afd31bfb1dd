import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Change, type DatasetSchema, keyOf, newRow, type Row, systemClock } from '@tidemark/core';
import {
  describeSourceContract,
  describeTargetContract,
  type SourceFixture,
  type SourceRecord,
  type TargetFixture,
} from '@tidemark/testkit';
import { stringify } from 'csv-stringify/sync';
import { fileFrom, fileTo } from './config.ts';
import connector from './connector.ts';
import { placeOf } from './place.ts';
import { readCsvHeader, readCsvRecords } from './read-csv.ts';
import { canonical } from './values.ts';

const context = {
  connection: 'files',
  clock: systemClock,
  random: Math.random,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  fetch,
  baseDir: '/',
};

async function createFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-file-'));
  return { folder, connection: connector.open({ folder }, context), remove: () => rm(folder, { recursive: true }) };
}

async function createTarget(
  file: string,
  rows: (path: string, schema: DatasetSchema) => Promise<Map<string, Row>>,
  marked?: (path: string) => Promise<string[]>,
): Promise<TargetFixture> {
  const { folder, connection, remove } = await createFolder();
  return {
    open: ({ schema, deletes }) =>
      connection.openTarget!({ to: fileTo.parse({ file }), unit: 'contract', schema, deletes }, AbortSignal.timeout(60_000)),
    rows: (schema) => rows(join(folder, file), schema),
    ...(marked && { marked: () => marked(join(folder, file)) }),
    [Symbol.asyncDispose]: remove,
  };
}

/** Whoever reads the log can tell what there is. */
async function rowsOfLog(path: string, schema: DatasetSchema): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  const text = await readFile(path, 'utf8').catch(() => '');
  for (const line of text.split('\n').slice(0, -1)) {
    const { op, key, row } = JSON.parse(line) as Change;
    if (op === 'delete') rows.delete(key);
    else rows.set(key, Object.assign(newRow(), Object.fromEntries(schema.fields.map(({ name }) => [name, null])), row));
  }
  return rows;
}

async function* linesOfTable(path: string) {
  const place = placeOf('/', { file: path });
  const header = await readCsvHeader(place);
  if (header !== null) yield* readCsvRecords(place, header.columns, header.next, undefined);
}

async function marksOfTable(path: string): Promise<string[]> {
  const marked: string[] = [];
  for await (const { values } of linesOfTable(path)) {
    if (values.get('_tidemark_deleted_at') != null) marked.push(String(values.get('Id')));
  }
  return marked;
}

async function rowsOfTable(path: string, schema: DatasetSchema): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  for await (const { values } of linesOfTable(path)) {
    if (values.get('_tidemark_deleted_at') != null && !schema.fields.some(({ name }) => name === '_tidemark_deleted_at'))
      continue;
    const row = newRow();
    for (const { name, type } of schema.fields) row[name] = canonical(values.get(name) ?? null, type);
    rows.set(keyOf(row, schema.key)!, row);
  }
  return rows;
}

const targetTraits = { compares: false, checkpoints: false, typed: false };
describeTargetContract('file (JSON Lines)', () => createTarget('log.jsonl', rowsOfLog), { ...targetTraits, loads: false });
describeTargetContract('file (CSV)', () => createTarget('table.csv', rowsOfTable, marksOfTable), {
  ...targetTraits,
  loads: true,
});

async function createSource(format: 'csv' | 'jsonl', watermark: boolean): Promise<SourceFixture> {
  const { folder, connection, remove } = await createFolder();
  const records = new Map<string, SourceRecord>();
  async function save() {
    const rows = [...records.values()].map(({ id, name, stampMs }) => ({
      Id: id,
      Name: name,
      ...(watermark && { ModifiedAt: new Date(stampMs).toISOString() }),
    }));
    const columns = ['Id', 'Name', ...(watermark ? ['ModifiedAt'] : [])];
    const text =
      format === 'csv' ? stringify(rows, { header: true, columns }) : rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    await writeFile(join(folder, `data.${format}`), text);
  }
  await save();
  return {
    open: (spec) => {
      const from = fileFrom.parse({
        file: `data.${format}`,
        key: 'Id',
        types: format === 'csv' ? {} : { Name: 'text' },
        ...(watermark && { watermark: 'ModifiedAt' }),
      });
      return connection.openSource!(
        { from, where: undefined, fields: null, exclude: [], startAtMs: null, ...spec },
        AbortSignal.timeout(60_000),
      );
    },
    async put(changed) {
      for (const record of changed) records.set(record.id, record);
      await save();
    },
    async remove(ids) {
      for (const id of ids) records.delete(id);
      await save();
    },
    [Symbol.asyncDispose]: remove,
  };
}

const sourceTraits = { delta: false, deletes: false, severalPages: 4_500 };
describeSourceContract('file (CSV)', () => createSource('csv', true), { ...sourceTraits, stamps: true });
describeSourceContract('file (JSON Lines)', () => createSource('jsonl', false), { ...sourceTraits, stamps: false });
