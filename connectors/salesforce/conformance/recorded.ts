import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { systemClock } from '@tidemark/core';
import type { Describe, DescribeField } from '../describe.ts';
import { createDecoder } from '../stream/decode-event.ts';
import { createEventPlans } from '../stream/event-plans.ts';

/** An event of which somebody has found out what it says. */
interface Golden {
  readonly file: string;
  readonly header: {
    readonly recordIds: readonly string[];
    readonly changeType: string;
    readonly changeOrigin: string;
    readonly transactionKey: string;
    readonly commitTimestamp: number;
  };
  readonly changedFieldsExpanded: readonly string[];
  readonly nonNullBody: Readonly<Record<string, unknown>>;
}
interface Recorded {
  readonly event: { readonly id: string; readonly schemaId: string; readonly payload: string };
  readonly replayId: string;
}
interface AvroField {
  readonly name: string;
  readonly type: unknown;
  readonly doc: string;
}

/** The recorded change events of an Account, read by what the connector reads its stream with, say what they are known to say. */
export async function conform(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: { dir: { type: 'string' }, verbose: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  const folder = values.dir;
  if (folder === undefined || values.help || !statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return 2;
  const json = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const golden: Golden[] = json('events/pubsub-decoded-golden.json');
  const problems: string[] = [];
  const read = new Map<string, number>();
  for (const expected of golden) {
    const i = read.get(expected.file) ?? 0;
    read.set(expected.file, i + 1);
    const recorded = json(`events/${expected.file}`);
    const at: Recorded = (Array.isArray(recorded) ? recorded : recorded.events)[i];
    const schema = readFileSync(join(folder, `avro/AccountChangeEvent.schema-${at.event.schemaId}.avsc`), 'utf8');
    for (const problem of await compare(expected, at, schema)) problems.push(`${expected.file} [${i}] ${problem}`);
  }
  console.log(`the connector: ${golden.length} recorded change events read, ${problems.length} differences`);
  for (const problem of problems) console.log(`    ${problem}`);
  return golden.length > 0 && problems.length === 0 ? 0 : 1;
}

async function compare(expected: Golden, { event, replayId }: Recorded, schema: string): Promise<string[]> {
  const fields: AvroField[] = JSON.parse(schema).fields;
  const describe = describeOf(fields);
  const plans = createEventPlans({
    loadSchema: async () => schema,
    needsSchema: true,
    describes: { get: async () => describe, forget: () => {} },
    context: { clock: systemClock, random: () => 0.5, connection: 'recorded', log: silent },
  });
  const raw = { replayId, id: event.id, schemaId: event.schemaId, payload: Buffer.from(event.payload, 'base64') };
  const decoded = await createDecoder(plans, ['Account']).decode(raw, replayId, AbortSignal.timeout(10_000));
  const { header } = expected;
  const problems: string[] = [];
  const same = (what: string, recorded: unknown, ours: unknown) => {
    if (!isDeepStrictEqual(recorded, ours)) problems.push(`${what}: ${JSON.stringify(recorded)}, here ${JSON.stringify(ours)}`);
  };
  same('op', header.changeType.toLowerCase(), decoded?.op);
  same('keys', header.recordIds, decoded?.keys);
  same('transaction', header.transactionKey, decoded?.transaction);
  same('commit', header.commitTimestamp, decoded?.committedAtMs);
  same('writer', header.changeOrigin, decoded?.writer);
  same('stamp', expected.nonNullBody.LastModifiedDate, decoded?.stampMs);
  same('untold', [], decoded?.untold);
  const row: Record<string, unknown> = { ...decoded?.row };
  if (header.changeType === 'UPDATE') same('fields', [...expected.changedFieldsExpanded].sort(), Object.keys(row).sort());
  else delete row.IsDeleted;
  const told = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  same('values', sorted(valuesOf(expected.nonNullBody, fields)), sorted(told));
  return problems;
}

const sorted = (values: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));

/** What a row must hold: parts stand flat, instants are texts. */
function valuesOf(body: Readonly<Record<string, unknown>>, fields: readonly AvroField[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    if (typeof value === 'object' && value !== null) {
      for (const [part, content] of Object.entries(value)) if (content !== null) values[flat(name, part)] = content;
      continue;
    }
    const isDate = fields.find((field) => field.name === name)!.doc.includes('DateTime');
    values[name] = isDate ? new Date(value as number).toISOString() : value;
  }
  return values;
}

const flat = (compound: string, part: string) => compound.replace(/Address$/, '') + part;

/** As the org that they come from would have described its Account. */
function describeOf(fields: readonly AvroField[]): Describe {
  const columns = fields.slice(1).flatMap((field): DescribeField[] => {
    const [, kind] = field.doc.split(':') as [string, string];
    if (kind === 'Address') {
      const parts = ['Street', 'City', 'State', 'PostalCode', 'Country', 'StateCode', 'CountryCode'];
      return parts.map((part) => column(flat(field.name, part), 'string', { compoundFieldName: field.name }));
    }
    return kind === 'Location' ? [] : [column(field.name, types[kind] ?? 'string')];
  });
  return {
    name: 'Account',
    queryable: true,
    replicateable: true,
    createable: true,
    updateable: true,
    deletable: true,
    fields: [column('Id', 'id'), column('IsDeleted', 'boolean'), ...columns],
  };
}

const types: Readonly<Record<string, string>> = {
  Boolean: 'boolean',
  Integer: 'int',
  Double: 'double',
  Percent: 'percent',
  Currency: 'currency',
  DateOnly: 'date',
  Birthday: 'date',
  DateTime: 'datetime',
  TimeOnly: 'time',
};

function column(name: string, type: string, changes: Partial<DescribeField> = {}): DescribeField {
  const written = { createable: true, updateable: true, defaultedOnCreate: false, externalId: false, idLookup: false };
  const kept = { unique: false, caseSensitive: false, nillable: true, calculated: false, filterable: true, sortable: true };
  const traits = { ...written, ...kept, referenceTo: [], relationshipName: null };
  return { name, type, length: 255, precision: 18, scale: 2, ...traits, ...changes };
}

// biome-ignore lint/suspicious/noExplicitAny: nothing is to be told
const silent: any = new Proxy({}, { get: () => () => {} });
