// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is how the file names a variable
import { existsSync, readFileSync } from 'node:fs';
import { startEmulator } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Workplace } from '../../testing.ts';

// What Heroku Connect kept in sync goes on in the same tables and columns, and nothing of its export is dropped in silence.

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const account = {
  object_name: 'Account',
  config: {
    access: 'read_write',
    sf_notify_enabled: false,
    sf_polling_seconds: 600,
    sf_max_daily_api_calls: 30000,
    upsert_field: 'AccountNumber',
    fields: { AccountNumber: {}, CreatedDate: {}, Id: {}, Industry: {}, IsDeleted: {}, Name: {}, SystemModstamp: {} },
    indexes: { AccountNumber: { unique: true }, Id: { unique: true }, SystemModstamp: { unique: false } },
  },
};
const contact = {
  object_name: 'Contact',
  config: {
    access: 'read_only',
    sf_notify_enabled: false,
    sf_polling_seconds: 90,
    sf_max_daily_api_calls: 30000,
    fields: { 'Account.Name': {}, Email: {}, Id: {}, IsDeleted: {}, LastName: {}, SystemModstamp: {} },
    indexes: { Id: { unique: true } },
  },
};
const connection = {
  app_name: 'my-app',
  organization_id: '00D000000000001',
  exported_at: '2024-01-02T03:04:05+00:00',
  features: {},
};
const exported = (...mappings: object[]) => ({ version: 1, connection, mappings });

async function convert(document: unknown): Promise<{ yaml: string; remarks: string[] }> {
  place.write('export.json', typeof document === 'string' ? document : JSON.stringify(document));
  const answer = await place.call('init', '--from', 'heroku-connect', place.path('export.json'), '--force', '--json');
  expect(answer.exitCode === 0 ? '' : answer.err).toBe('');
  return { yaml: readFileSync(place.path('tidemark.yaml'), 'utf8'), remarks: JSON.parse(answer.out).remarks };
}

describe('a mapping becomes a sync', () => {
  test('read_only: one way, with tables and columns in lower case and the Id as sfid', async () => {
    const { yaml } = await convert(exported(contact));
    expect(yaml).toContain(`    from: { connection: crm, object: Contact }
    to: { connection: app, table: contact }
    fields:
      sfid: Id
      account__name: Account.Name
      email: Email
      isdeleted: IsDeleted
      lastname: LastName
      systemmodstamp: SystemModstamp
    full: { every: 1d }
    every: 90s
`);
    expect(yaml).toContain('    url: "${DATABASE_URL}"\n    schema: salesforce\n');
  });

  test('read_write: between both, linked by sfid, and what the org alone sets goes one way', async () => {
    const { yaml, remarks } = await convert(exported(account));
    expect(yaml).toContain(`    between:
      - { connection: crm, object: Account }
      - { connection: app, table: account, link: sfid }
    fields:
      accountnumber: AccountNumber
      createddate: { field: CreatedDate, to: app }
      industry: Industry
      isdeleted: { field: IsDeleted, to: app }
      name: Name
      systemmodstamp: { field: SystemModstamp, to: app }
    match: accountnumber
    conflicts: latest
    every: 10m
`);
    expect(remarks).toContainEqual(expect.stringMatching(/^account: rows that are made in the database .* add link: <field>/));
    expect(remarks).toContain('account:   CREATE UNIQUE INDEX ON "salesforce".account (accountnumber);');
  });

  test('streaming becomes change events, and a share of calls that somebody set is the connection’s', async () => {
    const config = { ...contact.config, sf_notify_enabled: true, sf_max_daily_api_calls: 4000 };
    const { yaml } = await convert(exported(account, { ...contact, config }));
    expect(yaml).toMatch(/every: 90s\n {4}live: true\n/);
    expect(yaml).toMatch(/budget:\n {6}share: 30000\n/);
    expect(yaml).toContain('it was Account 30000, Contact 4000');
  });
});

test('what has no counterpart stands in the file as a comment and in the answer', async () => {
  const odd = {
    ...exported({
      object_name: 'Lead',
      config: {
        access: 'read_write',
        fields: { Id: {}, Name: { trim: true }, 'Owner.Name': {} },
        colour: 'blue',
        upsert_field: 'X__c',
      },
    }),
    connection: {
      ...connection,
      schema_name: 'my schema',
      features: { poll_db_no_merge: true, other: false },
      region: 'us\nsyncs: {}',
    },
    extra: [1],
  };
  const { yaml, remarks } = await convert(odd);
  const wanted = [
    'feature poll_db_no_merge: true has no counterpart',
    'region: "us\\nsyncs: {}" has no counterpart',
    'extra: [1] has no counterpart',
    'lead: colour: "blue" has no counterpart',
    'lead: the settings of field Name have no counterpart: {"trim":true}',
    expect.stringMatching(/^lead: Owner.Name is a field of another record/),
    'lead: upsert_field X__c is none of the mapped fields',
  ];
  expect(remarks).toEqual(expect.arrayContaining(wanted));
  for (const remark of remarks) expect(yaml).toContain(`# ${remark.replace(/^lead: /, '')}\n`);
  expect(yaml).toContain('    schema: "my schema"\n');
});

describe('bad input', () => {
  const call = (...argv: string[]) => place.call('init', ...argv);
  test.each([
    ['no JSON', '{', /export.json is no JSON/],
    ['another document', { rules: [] }, /no export of Heroku Connect:\n {4}mappings: /],
    ['no mappings', exported(), /mappings: is empty/],
    ['another version', { ...exported(contact), version: 2 }, /version: /],
    [
      'an access that there is not',
      exported({ ...contact, config: { ...contact.config, access: 'all' } }),
      /mappings.0.config.access: /,
    ],
    ['a name that is none', exported({ ...contact, object_name: 'A; DROP' }), /mappings.0.object_name: is no name of an object/],
    ['an object twice', exported(contact, { ...contact, object_name: 'CONTACT' }), /contact is mapped twice/],
  ])('%s', async (_, document, said) => {
    place.write('export.json', typeof document === 'string' ? document : JSON.stringify(document));
    const { exitCode, err } = await call('--from', 'heroku-connect', place.path('export.json'));
    expect([exitCode, err]).toEqual([2, expect.stringMatching(said)]);
    expect(existsSync(place.path('tidemark.yaml'))).toBe(false);
  });
  test('no file, no system, another system, and a configuration that is there', async () => {
    expect((await call('--from', 'heroku-connect')).err).toContain('which export?');
    expect((await call('export.json')).err).toContain('export.json: of which system is it?');
    expect((await call('--from', 'airbyte', 'x.json')).err).toContain('Allowed choices are heroku-connect');
    expect((await call('--from', 'heroku-connect', place.path('none.json'))).err).toContain('cannot be read: ENOENT');
    place.write('tidemark.yaml', '').write('export.json', JSON.stringify(exported(contact)));
    expect((await call('--from', 'heroku-connect', place.path('export.json'))).err).toContain('is there already');
  });
});

test('it takes over the tables that Heroku Connect has filled: no row is made twice, and both directions go on (P12)', async () => {
  const org = await startEmulator({ records: 0 });
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const insert = (type: string, values: Record<string, string>) => org.org.write((tx) => tx.insert(type, values)).id!;
    const acme = insert('Account', { Name: 'Acme', AccountNumber: 'A-1' });
    const ada = insert('Contact', { LastName: 'Ada', AccountId: acme });
    // As Heroku Dev Center, "Heroku Connect Database Tables", describes them.
    const system =
      'id serial PRIMARY KEY, sfid varchar(18) UNIQUE, systemmodstamp timestamp, isdeleted boolean, _hc_lastop varchar(32), _hc_err text';
    await client.query(`CREATE SCHEMA salesforce;
      CREATE TABLE salesforce.account (${system}, accountnumber varchar(40), createddate timestamp, industry varchar(255), name varchar(255));
      CREATE TABLE salesforce.contact (${system}, account__name varchar(255), email varchar(80), lastname varchar(80));`);
    await client.query("INSERT INTO salesforce.account (sfid, accountnumber, name) VALUES ($1, 'A-1', 'Acme')", [acme]);
    await client.query("INSERT INTO salesforce.contact (sfid, lastname) VALUES ($1, 'Ada, before')", [ada]);

    await convert(exported(account, contact));
    const { loginUrl, clientId, clientSecret } = org.credentials;
    Object.assign(place.env, { SF_LOGIN_URL: loginUrl, SF_CLIENT_ID: clientId, SF_CLIENT_SECRET: clientSecret });
    place.env.DATABASE_URL = database.url;
    const succeeds = async (...argv: string[]) => {
      const { exitCode, out, err } = await place.call(...argv);
      expect({ argv, said: exitCode === 0 ? '' : err + out }).toEqual({ argv, said: '' });
    };
    await succeeds('schema', 'apply');
    await succeeds('check');
    await succeeds('run', '--all');
    const rows = async (sql: string) => (await client.query(sql)).rows;
    expect(await rows('SELECT id, sfid, name FROM salesforce.account')).toEqual([{ id: 1, sfid: acme, name: 'Acme' }]);
    expect(await rows('SELECT id, sfid, lastname, account__name FROM salesforce.contact')).toEqual([
      { id: 1, sfid: ada, lastname: 'Ada', account__name: 'Acme' },
    ]);

    await client.query("UPDATE salesforce.account SET industry = 'Energy' WHERE sfid = $1", [acme]);
    const grace = insert('Contact', { LastName: 'Grace' });
    await succeeds('run', '--all');
    const found = org.org.query('SELECT Industry FROM Account');
    expect(found.page(0, 1, 'v62.0')).toMatchObject([{ Industry: 'Energy' }]);
    expect(await rows('SELECT id, sfid FROM salesforce.contact ORDER BY id')).toEqual([
      { id: 1, sfid: ada },
      { id: expect.any(Number), sfid: grace },
    ]);
  } finally {
    await client.end();
    await database.drop();
    await org.close();
  }
});
