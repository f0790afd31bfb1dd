// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is how the file names a variable
import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import memory from '@tidemark/connector-memory';
import salesforce from '@tidemark/connector-salesforce';
import { type AnyConnector, type Connector, type ConnectorContext, parseConfig, systemClock } from '@tidemark/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Cli } from '../cli.ts';
import { init } from '../commands/init.ts';
import { Workplace } from '../testing.ts';
import type { Ask } from './ask.ts';
import { tableName } from './dataset-names.ts';
import { fillConnection } from './fill-connection.ts';
import { renderConfig, renderEnv } from './render-config.ts';
import { writeFiles } from './write-files.ts';

// `init` writes nothing that has not been tested against the systems themselves, overwrites nothing unasked, and puts no
// secret into the configuration.                                                                                      (P10)

const org = salesforce as unknown as AnyConnector;

/** Answers by words of the question; a question nobody expected is an error. */
function scripted(answers: Record<string, string | readonly string[] | boolean>): Ask {
  const answer = (message: string) => {
    const found = Object.entries(answers).find(([words]) => message.includes(words));
    if (found === undefined) throw new Error(`unexpected question: ${message}`);
    return found[1];
  };
  return {
    text: async (message) => answer(message) as string,
    secret: async (message) => answer(message) as string,
    choose: async (message) => answer(message) as string,
    chooseMany: async (message) => answer(message) as readonly string[],
    confirm: async (message) => answer(message) as boolean,
  };
}

describe('a connection is filled from', () => {
  test('flags and the environment, where nobody can be asked', async () => {
    const set = new Map([['crm.loginUrl', 'https://acme.my.salesforce.com']]);
    const env = { SF_CLIENT_ID: 'id', SF_CLIENT_SECRET: 's3cret' };
    const filled = await fillConnection('crm', org, { set, env, ask: null });
    expect(filled.lacking).toEqual([]);
    expect(filled.block).toEqual({
      loginUrl: 'https://acme.my.salesforce.com',
      auth: { flow: 'client-credentials', clientId: '${SF_CLIENT_ID}', clientSecret: '${SF_CLIENT_SECRET}' },
    });
    expect(set.size).toBe(0);
  });
  test('a person, whose secrets become variables', async () => {
    const ask = scripted({
      'crm.auth.flow': 'password',
      'crm.loginUrl': 'https://test.salesforce.com',
      'crm.auth.username': 'me@example.com',
      'crm.auth.password': 'hunter2',
      'crm.auth.securityToken': '',
      'crm.auth.clientId': '',
      'crm.auth.clientSecret': '',
    });
    const filled = await fillConnection('crm', org, { set: new Map(), env: {}, ask });
    expect(filled.block).toEqual({
      loginUrl: 'https://test.salesforce.com',
      auth: { flow: 'password', username: 'me@example.com', password: '${SF_PASSWORD}' },
    });
    expect([...filled.variables]).toEqual([['SF_PASSWORD', 'hunter2']]);
  });
  test('nobody: then it says what is lacking and how to give it', async () => {
    const set = new Map([['crm.auth.flow', 'client-credentials']]);
    const filled = await fillConnection('crm', org, { set, env: {}, ask: null });
    expect(filled.lacking).toEqual([
      'crm.auth.clientId: --set crm.auth.clientId=… or SF_CLIENT_ID in the environment',
      'crm.auth.clientSecret: SF_CLIENT_SECRET in the environment',
    ]);
  });
  test('a command line never with a secret', async () => {
    const set = new Map([
      ['crm.auth.flow', 'client-credentials'],
      ['crm.auth.clientSecret', 's3cret'],
    ]);
    const filled = await fillConnection('crm', org, { set, env: { SF_CLIENT_ID: 'x' }, ask: null });
    expect(filled.lacking.join()).toContain('command lines are not secret');
    expect(JSON.stringify(filled)).not.toContain('s3cret');
  });
});

test('what is rendered reads back as what was meant', () => {
  const awkward = fc.constantFrom('true', 'no', '~', '1.5', '0x1f', '- a', '# b', 'a: b', "it's", '"', '.5', '...', '.inf');
  const text = fc.oneof(fc.string({ minLength: 1 }), awkward);
  fc.assert(
    fc.property(text, text, (username, password) => {
      // `${` is the file's own syntax.
      fc.pre(!/\$\{/.test(username + password));
      const auth = { flow: 'password', username, password };
      const filled = { name: 'crm', type: 'salesforce', block: { auth }, variables: new Map(), lacking: [] };
      const yaml = renderConfig([filled], [], { every: '10s', schema: null }).replace(/syncs:\n$/, 'syncs: {}\n');
      const config = parseConfig(yaml, { file: 'tidemark.yaml', env: {}, connectors: [org] });
      expect(config.connections.get('crm')?.config).toMatchObject({ auth });
    }),
  );
});

test('a secret survives its way through .env', () => {
  // A value with every kind of quotes has no spelling in an .env file.
  const secret = fc.string({ minLength: 1 }).filter((s) => !(s.includes("'") && s.includes('`')) && !/[\r\n]/.test(s));
  fc.assert(
    fc.property(secret, (value) => {
      expect(parseEnv(renderEnv([['NAME', value]])).NAME).toBe(value);
    }),
  );
});

test.each([
  ['Account', 'accounts'],
  ['Opportunity', 'opportunities'],
  ['OpportunityLineItem', 'opportunity_line_items'],
  ['Sync_Request__c', 'sync_requests'],
  ['ns__Address__c', 'ns_addresses'],
  ['Case', 'cases'],
  ['./in/people.csv', 'people'],
  ['2nd__c', 't_2nds'],
])('%s goes into %s', (dataset, table) => expect(tableName(dataset)).toBe(table));

describe('the command', () => {
  let place: Workplace;
  beforeEach(() => {
    place = new Workplace();
  });
  afterEach(() => place[Symbol.dispose]());
  const written = () => ['tidemark.yaml', '.env.example', '.env'].filter((name) => existsSync(place.path(name)));
  /** What the connection `crm` of the type memory finds in this process. */
  const fillMemory = () => {
    const people = { key: 'Id', fields: { Id: 'text' }, rows: [{ Id: 'a' }] };
    const config = (memory as unknown as Connector<unknown>).config.parse({ datasets: { Person: people } });
    (memory as AnyConnector).open(config, { connection: 'crm' } as ConnectorContext);
  };

  test('writes a configuration that runs', async () => {
    fillMemory();
    const answer = await place.call(
      'init',
      '--yes',
      '--source',
      'memory',
      '--target',
      'memory',
      '--objects',
      'Person',
      '--every',
      '5m',
    );
    expect(answer, answer.err).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('Connected, and written: tidemark.yaml'),
    });
    expect(readFileSync(place.path('tidemark.yaml'), 'utf8')).toContain(
      '  persons:\n    from: { connection: crm, dataset: Person }\n    to: { connection: app, dataset: persons }\n    every: 5m\n',
    );
    expect((await place.call('run', 'persons')).exitCode).toBe(0);
  });
  test('does not overwrite a file, and asks nothing before it says so', async () => {
    place.write('tidemark.yaml', 'mine');
    const answer = await place.call('init', '--yes');
    expect(answer).toMatchObject({ exitCode: 2, err: expect.stringMatching(/is there already\n {2}to do: say --force/) });
    expect(readFileSync(place.path('tidemark.yaml'), 'utf8')).toBe('mine');
  });
  test('a connection that does not answer is reported with its reason, and nothing is written', async () => {
    fillMemory();
    // Nothing listens on port 1.
    place.env.DATABASE_URL = 'postgres://me:hunter2@127.0.0.1:1/x';
    const answer = await place.call('init', '--yes', '--source', 'memory', '--target', 'postgres', '--objects', 'Person');
    expect(answer, answer.err).toMatchObject({
      exitCode: 1,
      out: expect.stringMatching(/ {2}x .*app.*\n {6}to do: [\s\S]*nothing was written/),
    });
    expect(answer.out + answer.err).not.toContain('hunter2');
    expect(written()).toEqual([]);
  });
  test('an object that the source does not have is named', async () => {
    fillMemory();
    const answer = await place.call('init', '--yes', '--source', 'memory', '--target', 'memory', '--objects', 'Persom');
    expect(answer).toMatchObject({
      exitCode: 2,
      err: expect.stringMatching(/has no Persom.*\n {2}to do: did you mean Person\?/),
    });
    expect(written()).toEqual([]);
  });
  test('missing settings are listed, all of them', async () => {
    const answer = await place.call('init', '--yes', '--source', 'memory', '--target', 'postgres', '--set', 'app.nope=1');
    expect(answer.exitCode).toBe(2);
    expect(answer.err).toContain('app.url: DATABASE_URL in the environment');
    expect(answer.err).toContain('app.nope: there is no such setting');
  });
  test('a type that does not exist is answered with those that do', async () => {
    const answer = await place.call('init', '--yes', '--source', 'oracle');
    expect(answer).toMatchObject({ exitCode: 2, err: expect.stringMatching(/oracle is no source\n {2}to do: one of: .*memory/) });
  });
  test('asks what it needs to know, and no answer makes it write what was not tested', async () => {
    fillMemory();
    const terminal = { out() {}, err() {}, live: false, interactive: true, colourOut: false, colourErr: false };
    const cli: Cli = { terminal, env: {}, clock: systemClock, exitCode: 0, logLine() {} };
    const options = { source: 'memory', every: '10s', set: new Map(), config: place.path('tidemark.yaml') };
    const ask = scripted({
      'Where do': 'postgres',
      'app.url': 'postgres://me:hunter2@127.0.0.1:1/x',
      'What is kept': ['Person'],
      'Keep the secrets': true,
    });
    await init(cli, options, ask);
    // The database does not answer, so that even here nothing is written.
    expect(cli.exitCode).toBe(1);
    expect(written()).toEqual([]);
    await init(cli, options, { ...ask, choose: async () => 'console' });
    expect(written()).toEqual(['tidemark.yaml']);
  });

  describe('what was typed goes into .env', () => {
    const filled = { name: 'crm', type: 'x', block: {}, variables: new Map([['A_TOKEN', 't0ken']]), lacking: [] };
    const write = (keep: boolean) =>
      writeFiles(
        place.path('tidemark.yaml'),
        'syncs: {}\n',
        [filled],
        new Map([['A_TOKEN', 't0ken']]),
        true,
        scripted({ Keep: keep }),
      );

    test('when told so, readable by its owner alone; the example names it without its value', async () => {
      await write(true);
      expect(readFileSync(place.path('.env'), 'utf8')).toBe('A_TOKEN=t0ken\n');
      expect(statSync(place.path('.env')).mode & 0o077).toBe(0);
      expect(readFileSync(place.path('.env.example'), 'utf8')).toMatch(/\nA_TOKEN=\n$/);
    });
    test('not otherwise', async () => {
      await write(false);
      expect(existsSync(place.path('.env'))).toBe(false);
    });
    test('never over one that is there', async () => {
      place.write('.env', 'MINE=1\n');
      await write(true);
      expect(readFileSync(place.path('.env'), 'utf8')).toBe('MINE=1\n');
    });
  });
});
