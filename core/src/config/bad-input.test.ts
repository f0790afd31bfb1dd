// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is how the file names a variable
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import type { AnyConnector } from './config.ts';
import { loadConfig, parseConfig } from './load-config.ts';

// A configuration that is wrong never starts anything: every problem is named at once, with its place in the file and a
// remedy, and no value of the environment is ever shown.                                                          (P10)

const folder = mkdtempSync(join(tmpdir(), 'tidemark-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'step.ts'), 'export default (rows: unknown) => rows;\n');
writeFileSync(join(folder, 'step.txt'), '');
mkdirSync(join(folder, 'steps'));

const crm: AnyConnector = {
  name: 'crm',
  summary: 'An org',
  config: z.object({
    loginUrl: z.url(),
    timeoutMs: z.int().min(1).default(1000),
    sandbox: z.boolean().default(false),
    auth: z.discriminatedUnion('flow', [
      z.object({
        flow: z.literal('password'),
        username: z.string(),
        password: z.string().meta({ secret: true }).describe('The password'),
      }),
      z.object({ flow: z.literal('token'), token: z.string().meta({ secret: true }) }),
    ]),
  }),
  from: z.union([
    z.strictObject({ object: z.string() }),
    z.strictObject({ query: z.string() }),
    z.strictObject({ topic: z.string() }),
  ]),
  side: z.strictObject({ object: z.string() }),
  eventChannel: (from) => (from as { topic?: string }).topic ?? null,
  open: () => ({ check: async () => [], async [Symbol.asyncDispose]() {} }),
};
const sql: AnyConnector = {
  name: 'sql',
  summary: 'A database',
  config: z.strictObject({ url: z.string().meta({ secret: true }) }),
  from: z.strictObject({ table: z.string() }),
  side: z.strictObject({ table: z.string() }),
  lookup: z.strictObject({ table: z.string() }),
  to: z.strictObject({ table: z.string(), schema: z.string().default('public') }),
  open: () => ({ check: async () => [], async [Symbol.asyncDispose]() {} }),
};
const printer: AnyConnector = {
  name: 'printer',
  summary: 'Paper',
  config: z.strictObject({}),
  to: z.strictObject({ message: z.string().optional() }),
  open: () => ({ check: async () => [], async [Symbol.asyncDispose]() {} }),
};
const connectors = [crm, sql, printer];
const env = { PASSWORD: 'hunter2-hunter2', TIMEOUT: '2500', SANDBOX: 'true', EMPTY: '', URL: 'not a url: s3cr3t-value' };

const connections = `connections:
  org: { type: crm, loginUrl: "https://login.example.com", auth: { flow: password, username: u, password: "\${PASSWORD}" } }
  app: { type: sql, url: ./app.db }
`;
/** A whole file around one sync's body, which begins at line 6. */
const sync = (body: string) =>
  `${connections}syncs:\n  contacts:\n${body
    .trim()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n`;
const good = 'from: { connection: org, object: Contact }\nto: { connection: app, table: contacts }';
const withLine = (line: string) => sync(`${good}\n${line}`);

function problemsOf(text: string) {
  try {
    parseConfig(text, { file: join(folder, 'tidemark.yaml'), env, connectors });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}
const shown = (text: string) => {
  const prefix = `${folder}/`;
  return problemsOf(text).map((p) =>
    `${p.place}: ${p.message}${p.hint === undefined ? '' : ` (${p.hint})`}`.replaceAll(prefix, ''),
  );
};

const cases: readonly [what: string, text: string, expected: RegExp][] = [
  ['an empty file', '', /^tidemark.yaml: the file is empty \(begin with connections/],
  ['a list instead of a block', '- a\n- b\n', /^tidemark.yaml: the file must hold a block of keys/],
  ['YAML with an unclosed bracket', 'connections: [1,\nsyncs: {}\n', /^tidemark.yaml:2:1: .*\(align it/],
  ['YAML indented with tabs', 'connections:\n\tapp: 1\n', /tidemark.yaml:2:1: .*tab.*spaces only/],
  ['an unclosed quote', 'connections: "abc\n', /tidemark.yaml:.*closing quote.*look at this line/],
  [
    'a key that comes twice',
    `${connections}  app: { type: sql, url: x }\n`,
    /tidemark.yaml:4:3: the key "app" appears twice.*remove one/,
  ],
  ['two documents', `${withLine('')}---\na: 1\n`, /second document begins here.*remove the ---/],
  ['an alias without an anchor', withLine('where: *nothing'), /tidemark.yaml:8:12: .*alias/],
  [
    'an unknown key at the top',
    `${withLine('')}conections: {}\n`,
    /tidemark.yaml:8:1: conections: is not known here \(did you mean connections\?\)/,
  ],
  ['no connections', 'syncs: {}\n', /connections: is missing/],
  ['syncs as a list', `${connections}syncs: []\n`, /tidemark.yaml:4:8: syncs: takes a block of keys, not a list/],
  [
    'an unknown type of connection',
    'connections:\n  app: { type: sqll, url: x }\nsyncs: {}\n',
    /tidemark.yaml:2:16: connections.app.type: there is no such type.*did you mean sql\?/,
  ],
  [
    'a connection without a type',
    'connections:\n  app: { url: x }\nsyncs: {}\n',
    /tidemark.yaml:2:3: connections.app.type: is missing \(one of: crm, printer, sql\)/,
  ],
  [
    'a name with spaces',
    'connections:\n  "my app": { type: sql, url: x }\nsyncs: {}\n',
    /tidemark.yaml:2:3: connections.my app: is not a usable name \(begin with a letter/,
  ],
  [
    'an unknown key of a connection',
    'connections:\n  app: { type: sql, url: x, ur: y }\nsyncs: {}\n',
    /tidemark.yaml:2:29: connections.app.ur: is not known here \(did you mean url\?\)/,
  ],
  [
    'an unknown key deep in a connection',
    'connections:\n  o: { type: crm, loginUrl: "https://x.example", auth: { flow: token, token: "a", tokn: b } }\nsyncs: {}\n',
    /connections.o.auth.tokn: is not known here \(did you mean token\?\)/,
  ],
  [
    'a choice that does not exist',
    'connections:\n  o: { type: crm, loginUrl: "https://x.example", auth: { flow: passwd } }\nsyncs: {}\n',
    /connections.o.auth.flow: must be one of: password, token \(did you mean password\?\)/,
  ],
  [
    'a required key that is missing',
    'connections:\n  o: { type: crm, loginUrl: "https://x.example", auth: { flow: password, username: u } }\nsyncs: {}\n',
    /tidemark.yaml:2:\d+: connections.o.auth.password: is missing \(it takes text: The password\)/,
  ],
  [
    'a URL that is none',
    'connections:\n  o: { type: crm, loginUrl: "${URL}", auth: { flow: token, token: "${PASSWORD}" } }\nsyncs: {}\n',
    /tidemark.yaml:2:29: connections.o.loginUrl: is not a valid URL/,
  ],
  [
    'a number where text belongs',
    'connections:\n  app: { type: sql, url: 5 }\nsyncs: {}\n',
    /tidemark.yaml:2:26: connections.app.url: takes text, not a number \(put it in quotes\)/,
  ],
  [
    'a missing environment variable',
    'connections:\n  app: { type: sql, url: "${NOPE}" }\nsyncs: {}\n',
    /tidemark.yaml:2:26: connections.app.url: the environment variable NOPE is not set \(set it/,
  ],
  [
    'an empty environment variable',
    'connections:\n  app: { type: sql, url: "${EMPTY}" }\nsyncs: {}\n',
    /connections.app.url: the environment variable EMPTY is empty \(set it/,
  ],
  [
    'a malformed variable',
    'connections:\n  app: { type: sql, url: "${NO-PE}" }\nsyncs: {}\n',
    /connections.app.url: .*does not begin a variable \(write \$\{NAME\}/,
  ],
  ['a sync without from', sync('to: { connection: app, table: t }'), /tidemark.yaml:5:3: syncs.contacts.from: is missing/],
  [
    'a reference to no connection',
    sync('from: { connection: orgg, object: A }\nto: { connection: app, table: t }'),
    /tidemark.yaml:6:25: syncs.contacts.from.connection: there is no connection of this name \(did you mean org\?\)/,
  ],
  [
    'a source that is none',
    `connections:\n  p: { type: printer }\n  app: { type: sql, url: x }\nsyncs:\n  s: { from: { connection: p }, to: { connection: app, table: t } }\n`,
    /syncs.s.from.connection: is of type printer, which is no source \(use it in to:\)/,
  ],
  [
    'a target that is none',
    sync('from: { connection: app, table: t }\nto: { connection: org, object: A }'),
    /tidemark.yaml:7:23: syncs.contacts.to.connection: is of type crm, which is no target \(use it in from:\)/,
  ],
  [
    'neither of two alternatives',
    sync('from: { connection: org }\nto: { connection: app, table: t }'),
    /syncs.contacts.from: needs one of: object, query/,
  ],
  [
    'an unknown key of a sync',
    withLine('wehre: a = 1'),
    /tidemark.yaml:8:5: syncs.contacts.wehre: is not known here \(did you mean where\?\)/,
  ],
  [
    'an unknown key of to',
    sync('from: { connection: org, object: A }\nto: { connection: app, tabel: t }'),
    /syncs.contacts.to.tabel: is not known here \(did you mean table\?\)/,
  ],
  ['a number as duration', withLine('every: 10'), /tidemark.yaml:8:12: syncs.contacts.every: takes a duration such as 10s/],
  [
    'a bad duration',
    withLine('every: 10 secs'),
    /tidemark.yaml:8:12: syncs.contacts.every: is not a duration \(write it like 10s/,
  ],
  ['too short an interval', withLine('every: 5ms'), /syncs.contacts.every: must be at least 1s/],
  [
    'a bad cron pattern',
    withLine('cron: "61 * * * *"'),
    /tidemark.yaml:8:11: syncs.contacts.cron: is not a cron pattern: .*\(minute hour day/,
  ],
  [
    'a cron pattern that never comes true',
    withLine('cron: "0 0 31 2 *"'),
    /syncs.contacts.cron: never comes true \(check day and month\)/,
  ],
  [
    'a bad time zone',
    withLine('cron: "0 3 * * *"\ntimezone: Europe/Wien'),
    /tidemark.yaml:9:15: syncs.contacts.timezone: is not a time zone \(use an IANA name/,
  ],
  ['a time zone without cron', withLine('timezone: UTC'), /syncs.contacts.timezone: has no effect without cron/],
  [
    'every and cron',
    withLine('every: 10s\ncron: "* * * * *"'),
    /tidemark.yaml:9:5: syncs.contacts.cron: and every: exclude each other/,
  ],
  ['a full block without schedule', withLine('full: {}'), /syncs.contacts.full: has no schedule \(write every: or cron:\)/],
  ['a start delay without schedule', withLine('startDelay: 5s'), /syncs.contacts.startDelay: has no effect/],
  ['a bad startAt', withLine('startAt: yesterday'), /syncs.contacts.startAt: is neither .* \(write -P1D/],
  [
    'a bad delete rule',
    withLine('deletes: mirrow'),
    /syncs.contacts.deletes: must be one of: mirror, mark, ignore \(did you mean mirror\?\)/,
  ],
  ['a share above all', withLine('sweepMax: 200%'), /syncs.contacts.sweepMax: is not a share between 0% and 100% \(write 10%/],
  ['a batch size of nothing', withLine('batchSize: 0'), /syncs.contacts.batchSize: must be at least 1/],
  [
    'a delay above its limit',
    withLine('retry: { delay: 5m, delayMax: 1s }'),
    /syncs.contacts.retry.delay: is longer than delayMax/,
  ],
  [
    'a bad expression',
    withLine('fields: { name: "= FirstName & (" }'),
    /tidemark.yaml:8:21: syncs.contacts.fields.name: is not valid JSONata: .* at character \d+ .*\(try it/,
  ],
  ['an empty expression', withLine('fields: { name: "=" }'), /syncs.contacts.fields.name: has no expression after the =/],
  [
    'fields that differ in case',
    withLine('fields: { name: A, Name: B }'),
    /syncs.contacts.fields.Name: differs from name only in case/,
  ],
  ['no field at all', withLine('fields: {}'), /syncs.contacts.fields: names no field \(leave it out/],
  [
    'a field both mapped and excluded',
    withLine('fields: { a: A }\nexclude: [A]'),
    /syncs.contacts.exclude\[0\]: is excluded and mapped.*remove one/,
  ],
  [
    'an unknown step',
    withLine('steps: [ { fliter: "A = 1" } ]'),
    /tidemark.yaml:8:16: syncs.contacts.steps\[0\].fliter: there is no such step \(did you mean filter\?\)/,
  ],
  [
    'a step of two kinds',
    withLine('steps: [ { filter: "A", run: ./step.ts } ]'),
    /syncs.contacts.steps\[0\]: needs exactly one of: filter, map, run, lookup, compare \(make it two steps\)/,
  ],
  [
    'a step file that is missing',
    withLine('steps: [ { run: ./no.ts } ]'),
    /tidemark.yaml:8:21: syncs.contacts.steps\[0\].run: there is no such file \(the path starts at/,
  ],
  ['a step file that is a folder', withLine('steps: [ { run: ./steps } ]'), /steps\[0\].run: there is no such file/],
  ['a step file that is no module', withLine('steps: [ { run: ./step.txt } ]'), /steps\[0\].run: is not a module \(use a .ts/],
  [
    'a custom source without key',
    sync('from: { run: ./step.ts }\nto: { connection: app, table: t }'),
    /syncs.contacts.from.key: is missing/,
  ],
  [
    'a custom source with an unknown type',
    sync('from: { run: ./step.ts, key: id, fields: { id: txt } }\nto: { connection: app, table: t }'),
    /from.fields.id: must be one of: text,.*did you mean text\?/,
  ],
  ...Object.entries({
    'between: [ { connection: org, object: A } ]\nfields: { a: A }': /syncs.contacts.between: must have exactly 2|between/,
    'between: [ { connection: org, object: A, link: X }, { connection: org, object: B } ]\nfields: { a: A }':
      /between\[1\].connection: is both sides at once/,
    'between: [ { connection: org, object: A }, { connection: app, table: a } ]\nfields: { a: A }':
      /syncs.contacts.between: has no link: .*\(say link: on a side/,
    'from: { connection: org, object: A }\nbetween: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: A }':
      /syncs.contacts.from: and between: exclude each other/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]': /syncs.contacts.fields: is missing/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: "= A" }':
      /syncs.contacts.fields.a: is an expression, which has no way back/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: A, b: a }':
      /syncs.contacts.fields.b: takes a, as a does/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: { field: A, to: nowhere } }':
      /syncs.contacts.fields.a.to: is none of the two sides \(one of: org, app\)|did you mean/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: A }\nconflicts: newest':
      /syncs.contacts.conflicts: is no rule for conflicts/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: A }\nconflicts: ./no.ts':
      /syncs.contacts.conflicts: there is no such file/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: A }\nmatch: Name':
      /syncs.contacts.match: is no field of this sync/,
    'between: [ { connection: org, object: A, link: X }, { connection: app, table: a } ]\nfields: { a: A }\nwhere: B = 1':
      /syncs.contacts.where: is not known here/,
  }).map(([lines, expected]): [string, string, RegExp] => [`two-way: ${lines.replaceAll('\n', ' ')}`, sync(lines), expected]),
  [
    'a side that cannot be one',
    `connections:\n  a: { type: printer }\n  app: { type: sql, url: ./a.db }\nsyncs:\n  x: { between: [ { connection: a }, { connection: app, table: t, link: l } ], fields: { f: f } }\n`,
    /between\[0\].connection: is of type printer, which cannot be a side of a two-way sync \(use it in from: or to:/,
  ],
  [
    'a lookup that does not say where',
    withLine('steps: [ { lookup: { connection: app, key: domain, by: Domain, fields: { id: id } } } ]'),
    /steps\[0\].lookup.table: is missing/,
  ],
  [
    'a lookup that does not say by what',
    withLine('steps: [ { lookup: { connection: app, table: firms, key: domain, fields: { id: id } } } ]'),
    /steps\[0\].lookup.by: is missing \(.*The field here that holds this value/,
  ],
  [
    'a lookup in a connection that is not there',
    withLine('steps: [ { lookup: { connection: ap, table: firms, key: domain, by: Domain, fields: { id: id } } } ]'),
    /steps\[0\].lookup.connection: there is no connection of this name \(did you mean app\?\)/,
  ],
  [
    'a lookup in a system that finds nothing',
    withLine('steps: [ { lookup: { connection: org, object: Firm, key: domain, by: Domain, fields: { id: id } } } ]'),
    /steps\[0\].lookup.connection: is of type crm, in which nothing can be looked up \(use a run: step\)/,
  ],
  [
    'a lookup that changes nothing',
    withLine('steps: [ { lookup: { connection: app, table: firms, key: domain, by: Domain } } ]'),
    /steps\[0\].lookup: has no effect \(name fields: to take .* or missing: drop or fail/,
  ],
  [
    'a lookup by an expression that is none',
    withLine('steps: [ { lookup: { connection: app, table: firms, key: domain, by: "= A &", fields: { id: id } } } ]'),
    /steps\[0\].lookup.by: is not valid JSONata/,
  ],
  [
    'a match that does not say whose field it means',
    withLine(
      'steps: [ { lookup: { connection: app, table: firms, key: domain, by: Domain, fields: { id: id }, match: Country = record.Country } } ]',
    ),
    /steps\[0\].lookup.match: looks at Country, and nobody knows whose field that is \(write found.Field for/,
  ],
  [
    'a comparison in the middle',
    withLine('steps: [ { compare: { against: target } }, { filter: A } ]'),
    /steps\[0\].compare: has to be the last step \(it compares what arrives in the target\)/,
  ],
  ['a comparison with something else', withLine('steps: [ { compare: { against: source } } ]'), /steps\[0\].compare.against: /],
  [
    'a comparison mixed with a filter',
    withLine('steps: [ { filter: A, compare: { against: target } } ]'),
    /steps\[0\]: needs exactly one of/,
  ],
  ...Object.entries({
    'every: 10s': /every: has no meaning for a topic \(an event is brought as it comes/,
    "full: { cron: '0 3 * * 0' }": /full: has no meaning for a topic/,
    'startAt: -P1D': /startAt: has no meaning for a topic \(write replay: earliest/,
    'startDelay: 10s': /startDelay: has no meaning for a topic/,
    'where: A = 1': /where: has no meaning for a topic \(use steps: with a filter/,
    'deletes: mark': /deletes: has no meaning for a topic \(events are never deleted/,
    'live: false': /live: is always true for a topic/,
    'onFailure: hold': /onFailure: cannot be hold for a topic: .*quarantine keeps a refused event/,
  }).map(([line, expected]): [string, string, RegExp] => [
    `a topic with ${line}`,
    `${sync('from: { connection: org, topic: /event/E__e }\nto: { connection: app, table: t }')}    ${line}\n`,
    expected,
  ]),
  ...Object.entries({
    'journal: 7d': /syncs.contacts.journal: has no effect without live: true \(events are kept as the stream brings them/,
    'journal: 5s': /syncs.contacts.journal: must be at least 1m/,
    'journal: for a week': /syncs.contacts.journal: is not a duration/,
    'journal: 7': /syncs.contacts.journal: takes a duration/,
  }).map(([line, expected]): [string, string, RegExp] => [line, withLine(line), expected]),
  [
    'two syncs on one table',
    `${withLine('')}  again:\n    from: { connection: org, object: Lead }\n    to: { connection: app, table: Contacts }\n`,
    /syncs.again.to: writes what sync contacts writes \(give each sync a table/,
  ],
  [
    'two syncs on one table through two connections',
    `connections:\n  org: { type: sql, url: ./c.db }\n  a: { type: sql, url: ./a.db }\n  b: { type: sql, url: ./a.db }\nsyncs:\n  x: { from: { connection: org, table: s }, to: { connection: a, table: t } }\n  y: { from: { connection: org, table: s }, to: { connection: b, table: t } }\n`,
    /syncs.y.to: writes what sync x writes/,
  ],
  [
    'a circle of syncs',
    `${connections}syncs:\n  x: { from: { connection: app, table: a }, to: { connection: app, table: b } }\n  y: { from: { connection: app, table: b }, to: { connection: app, table: a } }\n`,
    /tidemark.yaml:5:\d+: syncs.x: is part of a circle: x → y → x \(let it write fields/,
  ],
  [
    'a sync onto itself',
    `${connections}syncs:\n  x: { from: { connection: app, table: a }, to: { connection: app, table: a } }\n`,
    /syncs.x: reads what it writes/,
  ],
  [
    'two syncs with one checkpoint',
    `${withLine('watermarkKey: k')}  again:\n    from: { connection: org, object: Lead }\n    to: { connection: app, table: leads }\n    watermarkKey: k\n`,
    /syncs.again.watermarkKey: is the checkpoint of sync contacts/,
  ],
  [
    'a store that cannot keep state',
    `${withLine('')}store: { url: "redis://x" }\n`,
    /store.url: is of a kind that cannot keep state \(use a file path/,
  ],
  [
    'an unknown log level',
    `${withLine('')}log: { level: inf }\n`,
    /log.level: must be one of: debug, info, .*did you mean info\?/,
  ],
];

describe('bad input names its place and the remedy', () => {
  test.each(cases)('%s', (_, text, expected) => {
    const lines = shown(text);
    expect(
      lines.some((line) => expected.test(line)),
      lines.join('\n') || 'no problem found',
    ).toBe(true);
  });
  test('there is nothing wrong with what the cases are built from', () => {
    expect(shown(withLine(''))).toEqual([]);
  });
});

test('every problem is reported at once, in the order of the file', () => {
  const lines = shown(
    `${connections}syncs:\n  a: { from: { connection: x }, to: { connection: y }, every: 1 }\nlog: { level: z }\nfoo: 1\n`,
  );
  expect(lines.map((line) => line.split(': ')[1])).toEqual([
    'syncs.a.from.connection',
    'syncs.a.to.connection',
    'syncs.a.every',
    'log.level',
    'foo',
  ]);
});

describe('files', () => {
  const load = (file: string) => loadConfig(file, { env, connectors });
  test('a file that is not there', () =>
    expect(load(join(folder, 'no.yaml'))).rejects.toThrow(/no such file \(write one with `tidemark init`/));
  test('a folder', () => expect(load(folder)).rejects.toThrow(/is a folder/));
  test('bytes that are not UTF-8', async () => {
    const file = join(folder, 'latin1.yaml');
    writeFileSync(file, Buffer.from('notes: caf\xe9\n', 'latin1'));
    await expect(load(file)).rejects.toThrow(/is not UTF-8 text \(save it as UTF-8\)/);
  });
});

describe('the environment', () => {
  const parse = (text: string) => parseConfig(text, { file: join(folder, 'tidemark.yaml'), env, connectors });

  test('gives numbers and booleans where the schema wants them, and text stays text', () => {
    const config = parse(
      'connections:\n  o: { type: crm, loginUrl: "https://x.example", timeoutMs: "${TIMEOUT}", sandbox: "${SANDBOX}", auth: { flow: token, token: "${TIMEOUT}" } }\nsyncs: {}\n',
    );
    expect(config.connections.get('o')!.config).toMatchObject({ timeoutMs: 2500, sandbox: true, auth: { token: '2500' } });
  });
  test('is what the schema wants, where its default stands in for it', () => {
    const config = parse(
      'connections:\n  o: { type: crm, loginUrl: "https://x.example", timeoutMs: "${NOPE:-2500}", sandbox: "${NOPE:-true}", auth: { flow: token, token: "${TIMEOUT}" } }\nsyncs: {}\n',
    );
    expect(config.connections.get('o')!.config).toMatchObject({ timeoutMs: 2500, sandbox: true });
  });
  test('is not what an object inherits', () => {
    expect(shown('connections:\n  a: { type: sql, url: "${constructor}" }\nsyncs: {}\n').join()).toContain(
      'variable constructor is not set',
    );
  });
  test('has defaults and an escape', () => {
    const config = parse('connections:\n  a: { type: sql, url: "${NOPE:-x}-$${NOPE}-${EMPTY:-}" }\nsyncs: {}\n');
    expect(config.connections.get('a')!.config).toEqual({ url: 'x-${NOPE}-' });
  });
  test('cannot inject YAML', () => {
    const evil = 'x }\n  b: { type: sql, url: y';
    const text = 'connections:\n  a: { type: sql, url: "${EVIL}" }\nsyncs: {}\n';
    const config = parseConfig(text, { file: join(folder, 'tidemark.yaml'), env: { EVIL: evil }, connectors });
    expect([...config.connections.keys()]).toEqual(['a']);
    expect(config.connections.get('a')!.config).toEqual({ url: evil });
  });
  test('never shows its values in a message, wherever they stand', () =>
    fc.assert(
      fc.property(
        fc.constantFrom(
          'type',
          'url',
          'every',
          'cron',
          'timezone',
          'startAt',
          'fields',
          'filter',
          'run',
          'connection',
          'deletes',
          'store',
          'level',
          'watermarkKey',
          'sweepMax',
        ),
        fc.stringMatching(/^[A-Za-z0-9 (&'"{:]{2,20}$/),
        (where, tail) => {
          const secret = `q7X9${tail}`;
          const at = (place: string, otherwise: string) => (place === where ? '"${SECRET}"' : otherwise);
          const text = `connections:
  app: { type: ${at('type', 'sql')}, url: ${at('url', './a')} }
syncs:
  s:
    from: { connection: ${at('connection', 'app')}, table: a }
    to: { connection: app, table: b }
    every: ${at('every', '1s')}
    full: { cron: ${at('cron', '"0 3 * * 0"')}, timezone: ${at('timezone', 'UTC')} }
    startAt: ${at('startAt', '-P1D')}
    fields: { a: ${where === 'fields' ? '"= ${SECRET}"' : 'A'} }
    steps: [ { filter: ${at('filter', 'A')} }, { run: ${at('run', './step.ts')} } ]
    deletes: ${at('deletes', 'mirror')}
    watermarkKey: ${at('watermarkKey', 'k')}
    sweepMax: ${at('sweepMax', '10%')}
store: { url: ${at('store', './s.db')} }
log: { level: ${at('level', 'info')} }
`;
          try {
            parseConfig(text, { file: join(folder, 'tidemark.yaml'), env: { SECRET: secret }, connectors });
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigError);
            expect((error as Error).message).not.toContain('q7X9');
            expect(JSON.stringify((error as ConfigError).problems)).not.toContain('q7X9');
          }
        },
      ),
    ));
});

test('a secret in plain text is a warning that does not repeat it', () => {
  const text =
    'connections:\n  a: { type: sql, url: "postgres://me:hunter2@db/x" }\n  b: { type: sql, url: "${PASSWORD}" }\n  c: { type: sql, url: ./x.db }\nsyncs: {}\n';
  const { warnings } = parseConfig(text, { file: join(folder, 'tidemark.yaml'), env, connectors });
  expect(warnings).toHaveLength(1);
  expect(warnings[0]!.place).toContain(':2:24: connections.a.url');
  expect(JSON.stringify(warnings)).not.toContain('hunter2');
});

test('whatever the file holds, the answer is a configuration or a ConfigError', () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      ...': ,- ,&a ,*a,{,},[,],",\n,\n  ,\n    ,!!binary ,!x ,---\n,? ,| ,> ,# ,${,<<: ,.inf,0x1f,null,__proto__: ,\t,\u0000,\uFEFF'.split(
        ',',
      ),
    ),
    fc.constantFrom(
      'connections:',
      'syncs:',
      'from:',
      'to:',
      'type: sql',
      'url: x',
      'steps:',
      'fields:',
      'every:',
      'store:',
      '  app:',
      '    connection: app',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        parseConfig(pieces.join(''), { file: join(folder, 'tidemark.yaml'), env, connectors });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.problems.length).toBeGreaterThan(0);
      }
    }),
    { numRuns: 1500 },
  );
});

test('a few lines of aliases cannot fill the memory', () => {
  const lines = ['a: &a [x]', `b: &b [${'*a, '.repeat(900)}]`, `c: &c [${'*b, '.repeat(900)}]`, `d: [${'*c, '.repeat(900)}]`];
  expect(shown(`${lines.join('\n')}\n`).join('\n')).toMatch(
    /the file is too large, its aliases written out \(split it\)|aliases of aliases/,
  );
});

test('any YAML structure in any place gives a ConfigError, never a crash', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(
        'connections',
        'app',
        'syncs',
        's',
        'from',
        'to',
        'steps',
        'step',
        'fields',
        'exclude',
        'full',
        'retry',
        'store',
        'log',
      ),
      fc.jsonValue({ maxDepth: 3 }),
      (where, value) => {
        const put = (place: string, otherwise: unknown) => (place === where ? value : otherwise);
        const s = {
          from: put('from', { connection: 'app', table: 'a' }),
          to: put('to', { connection: 'app', table: 'b' }),
          steps: put('steps', [put('step', { filter: 'A' })]),
          fields: put('fields', { a: 'A' }),
          exclude: put('exclude', ['B']),
          full: put('full', { every: '1d' }),
          retry: put('retry', { attempts: 3 }),
        };
        const file = {
          connections: put('connections', { app: put('app', { type: 'sql', url: 'x' }) }),
          syncs: put('syncs', { s: put('s', s) }),
          store: put('store', {}),
          log: put('log', {}),
        };
        try {
          parseConfig(JSON.stringify(file), { file: join(folder, 'tidemark.yaml'), env, connectors });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
      },
    ),
    { numRuns: 1000 },
  );
});

describe('circles', () => {
  const circle = (back: string) =>
    `${connections}syncs:\n  there: { from: { connection: org, table: a }, to: { connection: app, table: b }, fields: { id: Id, code: Code, name: Name } }\n  back:\n    from: { connection: app, table: b }\n    to: { connection: org, table: a, key: Id }\n    ${back}\n`.replace(
      'type: crm, loginUrl: "https://login.example.com", auth: { flow: password, username: u, password: "${PASSWORD}" }',
      'type: sql, url: ./org.db',
    );
  test('syncs that lead back are no circle where what is written is not read again (P7)', () => {
    expect(shown(circle('fields: { Id: id, Score: score }'))).toEqual([]);
    expect(shown(circle('fields: { Id: id, CODE: code }')).join()).toMatch(/is part of a circle/);
    expect(shown(circle('exclude: [x]')).join()).toMatch(/is part of a circle/);
  });
  test('a sync whose step may look at every field leads on to what it does not exclude', () => {
    const stepped = (more: string) =>
      circle('fields: { Id: id, Score: score }').replace(
        'fields: { id: Id',
        `steps: [ { run: ./step.ts } ], ${more}fields: { id: Id`,
      );
    expect(shown(stepped('')).join()).toMatch(/is part of a circle/);
    expect(shown(stepped('exclude: [Score], '))).toEqual([]);
    const told = stepped('').replace('run: ./step.ts', 'run: ./step.ts, reads: [Name]');
    expect(shown(told)).toEqual([]);
  });
});
