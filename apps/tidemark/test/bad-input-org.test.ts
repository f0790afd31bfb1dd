import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Emulator } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { type BadInput, BadInputWorld, type ConfigFile, tryAll } from './bad-input-world.ts';

// Whatever an org refuses or fails to give ends with a message that names it and says what to do, and costs nothing: mended,
// the next run brings everything.                                                                              (P1, P4, P12)

const auth = (file: ConfigFile) => file.connections.org!.auth as Record<string, unknown>;
const sync = (file: ConfigFile) => file.syncs.s!;
const password = (world: BadInputWorld, change: object = {}) => {
  const { username, password, securityToken } = world.emulator.credentials;
  return { flow: 'password', username, password, securityToken, ...change };
};
const hide = (object: string, field?: string) => (world: BadInputWorld) => {
  world.emulator.permissions.hide(object, field);
  return () => world.emulator.permissions.show(object, field);
};

/** A server that is no org. */
async function pretender(world: BadInputWorld, status: number, type: string, body: string): Promise<() => Promise<void>> {
  const server = createServer((request, reply) => {
    request.resume();
    reply.writeHead(status, { 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.configure((file) => {
    file.connections.org!.loginUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  return async () => {
    await new Promise((resolve) => server.close(resolve));
  };
}

const mistaken = (status: number, type: string, body: string) => async (world: BadInputWorld) => {
  const stop = await pretender(world, status, type, body);
  return async () => {
    await stop();
    world.configure();
  };
};

/** Logs in as an org does, and answers everything else with a web page. */
async function webPageOnly(world: BadInputWorld): Promise<() => Promise<void>> {
  const { organizationId } = world.emulator.credentials;
  const server = createServer((request, reply) => {
    request.resume();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (request.url !== '/services/oauth2/token') {
      reply.writeHead(200, { 'content-type': 'text/html' }).end('<html>Maintenance</html>');
      return;
    }
    const body = {
      access_token: `${organizationId}!token`,
      instance_url: url,
      id: `${url}/id/${organizationId}/005000000000001AAA`,
    };
    reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.configure((file) => {
    file.connections.org!.loginUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  return async () => {
    await new Promise((resolve) => server.close(resolve));
    world.configure();
  };
}

describe('login', () => {
  const cases: readonly BadInput[] = [
    {
      what: 'a wrong password',
      file: (file, world) => {
        file.connections.org!.auth = password(world, { password: 'not-this-one' });
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+ was refused: INVALID_LOGIN/,
      toDo: /user name, password and security token/,
    },
    {
      what: 'a wrong security token',
      filled: true,
      file: (file, world) => {
        file.connections.org!.auth = password(world, { securityToken: 'not-this-one' });
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+ was refused: INVALID_LOGIN/,
      toDo: /security token/,
    },
    {
      what: 'a wrong client secret',
      file: (file) => {
        auth(file).clientSecret = 'not-this-one';
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+ was refused: invalid_client/,
      toDo: /clientSecret/,
    },
    {
      what: 'an unknown client',
      file: (file) => {
        auth(file).clientId = 'nobody';
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+ was refused: invalid_client_id/,
      toDo: /clientId/,
    },
    {
      what: 'a refresh token that was revoked',
      filled: true,
      file: (file, world) => {
        const { clientId, clientSecret } = world.emulator.credentials;
        file.connections.org!.auth = { flow: 'refresh-token', clientId, clientSecret, refreshToken: 'long-gone-token' };
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+ was refused: invalid_grant: expired access\/refresh token/,
      toDo: /log in again/i,
    },
    {
      what: 'a session that is refused however often it is renewed',
      filled: true,
      arrange: ({ emulator }) => {
        const id = emulator.faults.add({ kind: 'unauthorized', match: { path: '/services/data/' } });
        return () => void emulator.faults.remove(id);
      },
      exitCode: 1,
      says: /Contact.*\[INVALID_SESSION_ID\]/,
      toDo: /session/i,
    },
    {
      what: 'http to a host that is not this machine',
      file: (file) => {
        file.connections.org!.loginUrl = 'http://example.my.salesforce.com';
      },
      exitCode: 2,
      says: /tidemark\.yaml:\d+:\d+: connections\.org\.loginUrl: must be https; http only for/,
    },
    {
      what: 'an org that is not there',
      filled: true,
      arrange: async (world) => {
        const stop = await pretender(world, 500, 'text/plain', '');
        await stop();
        return () => world.configure();
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+: cannot reach the host \(ECONNREFUSED\)/,
      toDo: /loginUrl, the network and the proxy/,
    },
    {
      what: 'an https address where plain http is spoken',
      file: (file, world) => {
        file.connections.org!.loginUrl = world.emulator.url.replace('http:', 'https:');
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+: the host speaks another protocol \(ERR_SSL/,
      toDo: /loginUrl/,
    },
    {
      what: 'a web page instead of a login',
      filled: true,
      arrange: mistaken(200, 'text/html', '<html>Maintenance</html>'),
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+: HTTP 200, a reply that is no login \(a web page\?\)/,
      toDo: /loginUrl and the proxy/,
    },
    {
      what: 'a web page from a machine in front of the org, after the login',
      filled: true,
      arrange: webPageOnly,
      exitCode: 1,
      says: /Contact: a reply of \d+ characters is a web page and no JSON/,
      toDo: /proxy/,
    },
    {
      what: 'an address that fetch does not ask',
      file: (file) => {
        file.connections.org!.loginUrl = 'http://127.0.0.1:1';
      },
      exitCode: 1,
      says: /login to 127\.0\.0\.1:1: the connection broke off \(bad port\)/,
      toDo: /loginUrl/,
    },
    {
      what: 'an org in maintenance',
      filled: true,
      arrange: mistaken(503, 'text/html', '<html>Maintenance</html>'),
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+: HTTP 503/,
      toDo: /maintenance/,
    },
    {
      what: 'a page that is not there instead of a login',
      arrange: mistaken(404, 'text/html', '<html>Not found</html>'),
      exitCode: 1,
      says: /login to 127\.0\.0\.1:\d+: HTTP 404/,
      toDo: /loginUrl/,
    },
  ];
  tryAll(cases);
});

/** Described as it was, and gone when it is asked for. */
function whenRead({ requests }: Emulator, act: () => void): () => void {
  const { open } = requests;
  requests.open = (entry) => {
    if (entry.url.includes('/composite')) act();
    return open(entry);
  };
  return () => {
    requests.open = open;
  };
}

describe('what is asked of the org', () => {
  const cases: readonly BadInput[] = [
    {
      what: 'an unknown object',
      file: (file) => {
        sync(file).from = { connection: 'org', object: 'Contakt' };
      },
      exitCode: 1,
      says: /Contakt.*\[NOT_FOUND\]/,
      toDo: /spelling.*permission/,
    },
    {
      what: 'an unknown field in fields',
      file: (file) => {
        sync(file).fields = { id: 'Id', stars: 'Star__c' };
      },
      exitCode: 1,
      says: /Contact has no field Star__c/,
      toDo: /spelling.*permission/,
    },
    {
      what: 'a misspelt field in fields',
      file: (file) => {
        sync(file).fields = { id: 'Id', last: 'Last_Name' };
      },
      exitCode: 1,
      says: /Contact has no field Last_Name/,
      toDo: /Did you mean LastName\?/,
    },
    {
      what: 'an unknown field in where',
      file: (file) => {
        sync(file).where = "Star__c = 'x'";
      },
      exitCode: 1,
      says: /Contact: .*'Star__c'.*\[INVALID_FIELD\]/,
      toDo: /spelling/,
    },
    {
      what: 'a value of another type in where',
      file: (file) => {
        sync(file).where = "CreatedDate > 'yesterday'";
      },
      exitCode: 1,
      says: /Contact: .*CreatedDate.*\[INVALID_FIELD\]/,
      toDo: /filter|spelling/,
    },
    {
      what: 'a syntax error in where',
      file: (file) => {
        sync(file).where = "LastName = 'Ann' AND";
      },
      exitCode: 1,
      says: /Contact: .*\[MALFORMED_QUERY\]/,
      toDo: /SOQL is not valid/,
    },
    {
      what: 'a text without an end in where',
      file: (file) => {
        sync(file).where = "LastName = 'Ann";
      },
      exitCode: 1,
      says: /the query cannot be synced: its condition has a text without an end/,
      toDo: /where:/,
    },
    {
      what: 'a syntax error in query',
      file: (file) => {
        sync(file).from = { connection: 'org', query: 'SELECT Id LastName FROM Contact' };
      },
      exitCode: 1,
      says: /the query cannot be synced: "Id LastName" is no field/,
      toDo: /fields: and where:/,
    },
    {
      what: 'a query without Id',
      file: (file) => {
        sync(file).from = { connection: 'org', query: 'SELECT LastName FROM Contact' };
        delete sync(file).fields;
      },
      exitCode: 1,
      says: /the query cannot be synced: it does not select Id/,
      toDo: /object:/,
    },
    {
      what: 'an aggregate query',
      file: (file) => {
        sync(file).from = { connection: 'org', query: 'SELECT Id, COUNT(Name) FROM Contact GROUP BY Id' };
      },
      exitCode: 1,
      says: /the query cannot be synced: it selects COUNT\(Name\)/,
      toDo: /object:/,
    },
    {
      what: 'a query with a limit',
      file: (file) => {
        sync(file).from = { connection: 'org', query: 'SELECT Id, LastName FROM Contact LIMIT 5' };
      },
      exitCode: 1,
      says: /the query cannot be synced: it has LIMIT/,
      toDo: /object:/,
    },
    {
      what: 'no permission for the object',
      filled: true,
      arrange: hide('Contact'),
      exitCode: 1,
      says: /Contact.*\[(NOT_FOUND|INVALID_TYPE)\]/,
      toDo: /permission to read this object/,
      meanwhile: async (world) => {
        // Nothing was taken for deleted.
        if ((await world.sql('SELECT id FROM copy')).length !== 5) throw new Error('rows were lost');
      },
    },
    {
      what: 'no permission for the object from the beginning, asked of check',
      arrange: hide('Contact'),
      call: ['check'],
      exitCode: 1,
      says: /syncs\.s: .*Contact.*\[(NOT_FOUND|INVALID_TYPE)\]/,
      toDo: /permission to read this object/,
    },
    {
      what: 'a field that disappears while it runs',
      filled: true,
      arrange: ({ emulator }) => {
        const forget = whenRead(emulator, () => emulator.permissions.hide('Contact', 'Email'));
        return () => {
          forget();
          emulator.permissions.show('Contact', 'Email');
        };
      },
      exitCode: 1,
      says: /Contact\.Email is gone, or the user may not see it any more/,
      toDo: /Run again.*leave the sync/,
    },
    {
      what: 'no permission for a field',
      filled: true,
      arrange: hide('Contact', 'Email'),
      exitCode: 1,
      says: /Contact has no field Email/,
      toDo: /permission to see it/,
    },
  ];
  tryAll(cases);
});

describe('the API calls of the org are used up: the run says so and ends, and goes on when there are some again', () => {
  test.each([
    ['all of them', 100_000, /REQUEST_LIMIT_EXCEEDED|calls that org allows within 24 hours are used/],
    [
      'but for the reserve of live work',
      95_000,
      /95,0\d\d of the 100,000 calls that org allows within 24 hours are used, whoever made them/,
    ],
  ])('%s', async (_, used, says) => {
    await using world = await BadInputWorld.open('sqlite');
    world.configure();
    world.emulator.limits.DailyApiRequests.add(used);
    const answer = await world.call('run', 's');
    expect(answer.exitCode, answer.err).toBe(1);
    expect(answer.out).toMatch(says);
    expect(answer.out).toMatch(/to do: .*(budget:|Company Information)/);
    expect(answer.out).toMatch(/code: over_budget/);
    expect(answer.out).toContain('the next run goes on from there');
    world.pass(23 * 3_600_000);
    expect((await world.call('run', 's')).exitCode).toBe(1);
    // What was used a day ago counts no more, and who asks after a while is told so.
    world.pass(2 * 3_600_000);
    await world.expectWhole();
  });

  test('what one does all the same costs what it costs', async () => {
    await using world = await BadInputWorld.open('sqlite');
    world.configure();
    world.emulator.limits.DailyApiRequests.add(95_000);
    expect((await world.call('run', 's')).exitCode).toBe(1);
    const answer = await world.call('run', 's', '--ignore-budget');
    expect(answer.exitCode, answer.err).toBe(0);
  });
});
