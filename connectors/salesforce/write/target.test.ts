import { type Change, type DatasetSchema, type FieldValue, newRow, type Row, type Target } from '@tidemark/core';
import { describeTargetContract, hostileTexts, type TargetFixture, type TargetTraits, valuesByField } from '@tidemark/testkit';
import { afterAll, beforeAll } from 'vitest';
import { to } from '../config.ts';
import { emptyOrg, type WriteOrg, writeOrg } from './write-fixture.ts';

let org: WriteOrg;
beforeAll(async () => {
  org = await writeOrg();
});
afterAll(() => org[Symbol.asyncDispose]());

/** The contract's fields, and the org's that hold them. */
const names = new Map([
  ['Id', 'Key__c'],
  ['Name', 'Long__c'],
  ['Active', 'Flag__c'],
  ['Count', 'Count__c'],
  ['Amount', 'Amount__c'],
  ['Ratio', 'Ratio__c'],
  ['Day', 'Day__c'],
  ['At', 'At__c'],
  ['Clock', 'Time__c'],
  ['Data', 'Data__c'],
  ['Blob', 'Blob__c'],
  ['ParentId', 'Ref__c'],
]);
const contractNames = new Map([...names].map(([ours, theirs]) => [theirs, ours]));

function renamed(row: Row, by: ReadonlyMap<string, string>): Row {
  return Object.assign(newRow(), Object.fromEntries(Object.entries(row).map(([name, value]) => [by.get(name) ?? name, value])));
}

/** The contract speaks of `Name`, the org of `Long__c`. */
function withContractNames(target: Target): Target {
  const theirs = (change: Change): Change => (change.row === null ? change : { ...change, row: renamed(change.row, names) });
  return {
    batchSizeMax: target.batchSizeMax,
    compares: target.compares,
    plan: () => target.plan(),
    prepare: () => target.prepare(),
    write: (changes, commit, signal) => target.write(changes.map(theirs), commit, signal),
    read: async (keys) => new Map([...(await target.read!(keys))].map(([key, row]) => [key, renamed(row, contractNames)])),
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}

const createFixture = (settings: object) => async (): Promise<TargetFixture> => {
  emptyOrg(org);
  const connection = org.connect();
  return {
    async open({ schema, deletes }) {
      const fields = schema.fields.map((field) => ({ ...field, name: names.get(field.name) ?? field.name }));
      const spec = { unit: 'contract', schema: { ...schema, fields, key: ['Key__c'] }, deletes };
      const options = to.parse({ object: 'Enrichment__c', ...settings });
      return withContractNames(await connection.openTarget!({ to: options, ...spec }, new AbortController().signal));
    },
    rows: async (schema) => rowsOf(schema),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
};

function rowsOf(schema: DatasetSchema): Map<string, Row> {
  const selected = schema.fields.map(({ name }) => names.get(name)!);
  const rows = new Map<string, Row>();
  for (const record of org.records(selected)) {
    const row = renamed(record as Row, contractNames);
    if (row.At != null) row.At = String(row.At).replace('+0000', 'Z');
    if (row.Clock != null) row.Clock = String(row.Clock).replace('Z', '');
    rows.set(String(row.Id), row);
  }
  return rows;
}

/** A checkbox is never empty, a text never of no characters; a datetime has whole seconds; JSON and bytes are text. */
function stored(row: Row): Row {
  const kept = Object.assign(newRow(), row);
  for (const [name, value] of Object.entries(row)) {
    if (name === 'Active') kept[name] = value ?? false;
    else if (value === '') kept[name] = null;
    else if (name === 'Data' && typeof value !== 'string' && value !== null) kept[name] = JSON.stringify(value);
    else if (name === 'At' && value !== null) kept[name] = `${String(value).slice(0, 19)}.000Z`;
  }
  return kept;
}

const values: Record<string, readonly FieldValue[]> = {
  ...valuesByField,
  Name: [...hostileTexts, null, 'x'.repeat(131_072)],
  Count: [0, 1, -1, 2 ** 31, null],
  Amount: [0, 1.5, -0.01, 1234.56, 99999999.99, null],
  Ratio: [0, 1.5, -0.000001, 0.1, null],
  Day: ['2024-02-29', '1700-01-01', null],
};
/** An external id disregards blanks around it, and capitals. */
const keys = hostileTexts.filter(
  (text, i) => text.trim() === text && hostileTexts.findIndex((other) => other.toLowerCase() === text.toLowerCase()) === i,
);

const traits: TargetTraits = {
  compares: false,
  checkpoints: false,
  loads: false,
  typed: true,
  stamps: false,
  marks: false,
  shapes: false,
  stored,
  values,
  keys,
};
describeTargetContract('salesforce (Collections)', createFixture({ bulkAbove: 1_000_000 }), traits);
describeTargetContract('salesforce (Bulk)', createFixture({ bulkAbove: 0 }), traits);
describeTargetContract('salesforce (compared)', createFixture({ compare: true }), { ...traits, compares: true });
