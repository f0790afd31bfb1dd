import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Emulator } from '../src/index.ts';

/** One command of the CLI and what it must print. Later ones build on what earlier ones did. */
export interface SfStep {
  readonly name: string;
  args(emulator: Emulator): string[];
  /** Files that the command reads, in the folder that it runs in. */
  readonly files?: Readonly<Record<string, string>>;
  /** 0 when absent. */
  readonly exitCode?: number;
  /** @throws when the command's JSON, or what it did to the org, is not as it should be. */
  check(printed: Printed, world: { emulator: Emulator; read(file: string): string }): void;
  /** A request that is refused here as in a real org. */
  readonly refused?: { url: RegExp; status: number; why: string };
}

// biome-ignore lint/suspicious/noExplicitAny: every command prints another shape
type Printed = any;

const org = ['--target-org', 'emulator'];
const count = ({ org: { query } }: Emulator, soql: string) => query(soql).totalSize;
const first = ({ org: { query } }: Emulator, soql: string) => query(soql).page(0, 1, 'v62.0')[0] as Record<string, unknown>;

export const sfSteps: readonly SfStep[] = [
  {
    name: 'org login access-token',
    args: ({ url }) => [
      'org',
      'login',
      'access-token',
      '--instance-url',
      url,
      '--no-prompt',
      '--alias',
      'emulator',
      '--set-default',
    ],
    check({ status, result }, { emulator }) {
      equal(status, 0);
      equal(result.orgId, emulator.credentials.organizationId);
      equal(result.username, emulator.credentials.username);
      equal(result.isDevHub, false);
    },
  },
  {
    name: 'org display',
    args: () => ['org', 'display', ...org],
    check: ({ result }) => equal(result.connectedStatus, 'Connected'),
  },
  {
    name: 'data query',
    args: () => ['data', 'query', '--query', 'SELECT Id, Name, Owner.Name FROM Account ORDER BY Name LIMIT 3', ...org],
    check({ result }, { emulator }) {
      equal(result.totalSize, 3);
      const rows = emulator.org.query('SELECT Id, Name, Owner.Name FROM Account ORDER BY Name LIMIT 3').page(0, 3, 'v66.0');
      deepEqual(result.records, rows);
    },
  },
  {
    name: 'data query, many pages',
    args: () => ['data', 'query', '--query', 'SELECT Id FROM Contact', ...org],
    check: ({ result }, { emulator }) => equal(result.records.length, count(emulator, 'SELECT COUNT() FROM Contact')),
  },
  {
    name: 'data query, children and groups',
    args: () => ['data', 'query', '--query', 'SELECT Name, (SELECT LastName FROM Contacts) FROM Account LIMIT 5', ...org],
    check: ({ result }) => equal(result.records.length, 5),
  },
  {
    name: 'data query --use-tooling-api',
    args: () => [
      'data',
      'query',
      '--use-tooling-api',
      '--query',
      "SELECT QualifiedApiName, DataType FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Account'",
      ...org,
    ],
    check({ result }) {
      const types = new Map(result.records.map((row: Record<string, string>) => [row.QualifiedApiName, row.DataType]));
      equal(types.get('OwnerId'), 'Lookup(User)');
    },
  },
  {
    name: 'data query, refused',
    args: () => ['data', 'query', '--query', 'SELECT Nope FROM Account', ...org],
    exitCode: 1,
    check({ name, message }) {
      equal(name, 'INVALID_FIELD');
      ok(/No such column 'Nope' on entity 'Account'/.test(message), message);
    },
    refused: { url: /SELECT%20Nope%20FROM%20Account/, status: 400, why: 'INVALID_FIELD: asked for on purpose' },
  },
  {
    name: 'sobject list',
    args: () => ['sobject', 'list', '--sobject', 'all', ...org],
    check: ({ result }) => ok(result.includes('Account') && result.includes('Opportunity')),
  },
  {
    name: 'sobject describe',
    args: () => ['sobject', 'describe', '--sobject', 'Account', ...org],
    check({ result }, { emulator }) {
      equal(result.name, 'Account');
      equal(result.fields.length, emulator.org.schema.object('Account')?.fields.length);
    },
  },
  {
    name: 'sobject describe --use-tooling-api',
    args: () => ['sobject', 'describe', '--sobject', 'PlatformEventChannelMember', '--use-tooling-api', ...org],
    check: ({ result }) => equal(result.keyPrefix, '0v8'),
  },
  {
    name: 'data create record',
    args: () => [
      'data',
      'create',
      'record',
      '--sobject',
      'Contact',
      '--values',
      "LastName='Van der Berg' Email=v@example.com",
      ...org,
    ],
    check({ result }, { emulator }) {
      ok(result.success);
      equal(first(emulator, `SELECT LastName FROM Contact WHERE Id = '${result.id}'`).LastName, 'Van der Berg');
    },
  },
  {
    name: 'data update record',
    args: () => [
      'data',
      'update',
      'record',
      '--sobject',
      'Contact',
      '--where',
      'Email=v@example.com',
      '--values',
      'Title=Boss',
      ...org,
    ],
    check: (_printed, { emulator }) =>
      equal(first(emulator, "SELECT Title FROM Contact WHERE Email = 'v@example.com'").Title, 'Boss'),
  },
  {
    name: 'data get record',
    args: () => ['data', 'get', 'record', '--sobject', 'Contact', '--where', 'Email=v@example.com', ...org],
    check: ({ result }) => equal(result.Title, 'Boss'),
  },
  {
    name: 'data delete record',
    args: () => ['data', 'delete', 'record', '--sobject', 'Contact', '--where', 'Email=v@example.com', ...org],
    check: (_printed, { emulator }) => equal(count(emulator, "SELECT COUNT() FROM Contact WHERE Email = 'v@example.com'"), 0),
  },
  {
    name: 'data upsert bulk',
    args: () => [
      'data',
      'upsert',
      'bulk',
      '--sobject',
      'Account',
      '--file',
      'upsert.csv',
      '--external-id',
      'Id',
      '--wait',
      '2',
      ...org,
    ],
    files: { 'upsert.csv': 'Id,Name\n,"Bulk, one"\n,Bulk two\n' },
    check({ result }, { emulator }) {
      equal(result.jobInfo.state, 'JobComplete');
      equal(result.jobInfo.numberRecordsProcessed, 2);
      equal(result.records.successfulResults.length, 2);
      equal(count(emulator, "SELECT COUNT() FROM Account WHERE Name IN ('Bulk, one', 'Bulk two')"), 2);
    },
  },
  {
    name: 'data import bulk',
    args: () => ['data', 'import', 'bulk', '--sobject', 'Lead', '--file', 'import.csv', '--wait', '2', ...org],
    files: { 'import.csv': 'LastName,Company\nOne,Acme\nTwo,Acme\n' },
    check: ({ result }) => deepEqual([result.successfulRecords, result.failedRecords], [2, 0]),
  },
  {
    name: 'data export bulk',
    args: () => [
      'data',
      'export',
      'bulk',
      '--query',
      'SELECT Id, Name FROM Account',
      '--output-file',
      'export.csv',
      '--result-format',
      'csv',
      '--wait',
      '2',
      ...org,
    ],
    check(_printed, { emulator, read }) {
      const text = read('export.csv');
      ok(text.includes('"Bulk, one"'));
      ok(text.split('\n').length > count(emulator, 'SELECT COUNT() FROM Account'));
    },
  },
  {
    name: 'data delete bulk, one bad row',
    args: () => ['data', 'delete', 'bulk', '--sobject', 'Account', '--file', 'delete.csv', '--wait', '2', ...org],
    files: { 'delete.csv': 'Id\n001000000000000AAA\n' },
    exitCode: 1,
    check({ status }, { emulator }) {
      equal(status, 1);
      const job = emulator.ingest.list().at(-1);
      deepEqual([job?.state, job?.recordsProcessed, job?.recordsFailed], ['JobComplete', 1, 1]);
    },
  },
  {
    name: 'org list limits',
    args: () => ['org', 'list', 'limits', ...org],
    check({ result }) {
      const limit = result.find(({ name }: { name: string }) => name === 'DailyApiRequests');
      ok(limit.remaining > 0 && limit.remaining < limit.max);
    },
  },
  {
    name: 'org list sobject record-counts',
    args: () => ['org', 'list', 'sobject', 'record-counts', '--sobject', 'Account', ...org],
    check: ({ result }, { emulator }) => equal(result[0].count, count(emulator, 'SELECT COUNT() FROM Account')),
  },
  {
    name: 'org logout',
    args: () => ['org', 'logout', '--target-org', 'emulator', '--no-prompt'],
    check: ({ status }) => equal(status, 0),
  },
];
