import { inspect } from 'node:util';
import { Consumer, NetworkError, ProtocolError, ResponseError, UserError } from '@platformatic/kafka';
import { AccessDeniedError, NotConnectedError, RequestRefusedError } from '@tidemark/core';
import { kafkaUsers } from '@tidemark/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { faultOf as syncErrorOf } from './client/index.ts';
import { kafkaConfig, kafkaTo } from './config.ts';
import { kafka, nameOfSuite, newTopic, openClient, openConnection, openSource, signal } from './fixture.ts';

// What is wrong is said with its place and its remedy, and no password is ever in it.                                   (P10)

const CANARY = 'hunter2hunter2';
const schema = { name: 't', key: ['Id'], fields: [{ name: 'Id', type: 'text', nullable: false }] } as const;
const fields = { Id: 'text' } as const;

async function faultOf(work: () => Promise<unknown>): Promise<Error & { hint?: string }> {
  const error = await work().then(
    () => null,
    (fault: unknown) => fault,
  );
  expect(error).toBeInstanceOf(Error);
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(CANARY);
  for (const { password } of Object.values(kafkaUsers))
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(password);
  return error as Error;
}

describe('a configuration that is wrong', () => {
  test.each([
    ['no port', { brokers: 'kafka.example' }],
    ['no broker', { brokers: [] }],
    ['an unknown mechanism', { brokers: 'k:9092', sasl: { mechanism: 'gssapi', username: 'u', password: 'p' } }],
    ['no password', { brokers: 'k:9092', sasl: { mechanism: 'plain', username: 'u' } }],
    ['an unknown key', { brokers: 'k:9092', broker: 'k' }],
    ['a topic with a space', { brokers: 'k:9092', state: 'a b' }],
  ])('%s is refused', (_, config) => {
    expect(kafkaConfig.safeParse(config).success).toBe(false);
  });

  test('brokers are a list or a text with commas', () => {
    for (const brokers of ['a:1, b:2', ['a:1', 'b:2']]) expect(kafkaConfig.parse({ brokers }).brokers).toEqual(['a:1', 'b:2']);
  });

  test.each([
    ['a topic of Kafka itself', { topic: '__consumer_offsets' }],
    ['no partitions', { topic: 't', partitions: 0 }],
    ['an unknown format', { topic: 't', format: 'avro' }],
  ])('%s is refused', (_, to) => {
    expect(kafkaTo.safeParse(to).success).toBe(false);
  });
});

// What the driver says, and what it is for us: errors of a protocol are named by it, and an error of ours stays what it is.
test.each([
  ['too few replicas in sync', new ProtocolError('NOT_ENOUGH_REPLICAS'), 'transient', 'min.insync.replicas'],
  ['no right within a reply', new ResponseError(0, 11, { '/t': [29, null] }, {}), 'access_denied', 'Grant'],
  ['a topic that is unknown', new UserError('Unknown topic t.'), 'request_refused', 'Check its name'],
  ['a connection that broke', new NetworkError('Connection closed'), 'not_connected', 'broker running'],
  ['a leader that moves', new ProtocolError('NOT_LEADER_OR_FOLLOWER'), 'transient', undefined],
])('%s is an error that the engine can act upon', (_, error, code, hint) => {
  const fault = syncErrorOf(error) as { code: string; hint?: string };
  expect(fault.code).toBe(code);
  if (hint !== undefined) expect(fault.hint).toContain(hint);
  expect(syncErrorOf(fault)).toBe(fault);
});

test('a broker that is not there is told without a word of the password', async () => {
  const sasl = { mechanism: 'plain', username: 'u', password: CANARY };
  await using connection = openConnection({ brokers: '127.0.0.1:1', sasl });
  const error = await faultOf(() => connection.discover!());
  expect(error).toBeInstanceOf(NotConnectedError);
  expect(error.hint).toContain('Is a broker running');
  expect(await connection.check()).toMatchObject([
    { place: 'connections.k', severity: 'error', message: expect.stringContaining('Kafka does not answer') },
  ]);
});

test('a file of tls: that cannot be read is named', async () => {
  await using connection = openConnection({ tls: { ca: '/no/such/ca.pem' } });
  expect(await connection.check()).toMatchObject([{ message: expect.stringContaining('/no/such/ca.pem (ENOENT)') }]);
});

describe.skipIf(kafka.missing !== null)(nameOfSuite, () => {
  /** The listener that wants a login; absent on a server of one's own without one. */
  let login: string | undefined;
  beforeAll(async () => {
    await using client = openClient();
    const [found] = await client.admin.describeConfigs({
      resources: [{ resourceType: 4, resourceName: '1', configurationKeys: ['advertised.listeners'] }],
    });
    login = /LOGIN:\/\/([^,]+)/.exec(found?.configs[0]?.value ?? '')?.[1];
  });

  test('an unknown topic is named, with those that there are', async () => {
    await using connection = openConnection();
    const error = await faultOf(() => openSource(connection, { topic: 'no-such-topic', fields }));
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect(error.message).toContain('There is no topic no-such-topic');
    expect(error.hint).toMatch(/It has/);
  });

  test('a target that may not make its topic says so', async () => {
    await using connection = openConnection();
    const target = await connection.openTarget!(
      { to: { topic: newTopic(), format: 'json', create: false, partitions: 1 }, unit: 'u', schema, deletes: 'mirror' },
      signal,
    );
    expect((await faultOf(() => target.prepare())).hint).toContain('create: true');
  });

  test('more replicas than there are brokers are refused with the remedy', async () => {
    await using connection = openConnection();
    const target = await connection.openTarget!(
      {
        to: { topic: newTopic(), format: 'json', create: true, partitions: 1, replicas: 3 },
        unit: 'u',
        schema,
        deletes: 'mirror',
      },
      signal,
    );
    const error = await faultOf(() => target.prepare());
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect(error.hint).toContain('fewer brokers than replicas');
  });

  test('a group that others use is refused, and they are named', async () => {
    const topic = newTopic();
    const group = newTopic('group');
    await using client = openClient();
    await client.createTopic(topic, { partitions: 1, replicas: -1 });
    const consumer = new Consumer({ clientId: 'their-app', groupId: group, bootstrapBrokers: [kafka.url!] });
    consumer.topics.trackAll(topic);
    await consumer.joinGroup({});
    try {
      await using connection = openConnection();
      const error = await faultOf(() => openSource(connection, { topic, fields, group }));
      expect(error.message).toContain('their-app');
      expect(error.hint).toContain('only for this sync');
    } finally {
      await consumer.close(true);
    }
  });

  test('a filter in where: is refused with what to do instead', async () => {
    await using connection = openConnection();
    expect((await faultOf(() => openSource(connection, { topic: 't', fields }, { where: 'a = 1' }))).hint).toContain('filter');
  });

  test('TLS to a broker that speaks none is told as that', async () => {
    await using connection = openConnection({ tls: true });
    const [problem] = await connection.check();
    expect(problem).toMatchObject({ severity: 'error', hint: expect.stringContaining('TLS') });
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'a login by %s is let in, and a wrong one is refused for good',
    async (mechanism) => {
      if (login === undefined) return;
      const { username, password } = mechanism === 'plain' ? kafkaUsers.plain : kafkaUsers.scram;
      await using right = openConnection({ brokers: login, sasl: { mechanism, username, password } });
      expect(await right.check()).toEqual([]);
      await using wrong = openConnection({ brokers: login, sasl: { mechanism, username, password: CANARY } });
      const error = await faultOf(() => wrong.discover!());
      expect(error).toBeInstanceOf(AccessDeniedError);
      expect(error.hint).toContain('password');
      expect(await wrong.check()).toMatchObject([{ severity: 'error', hint: expect.stringContaining('sasl') }]);
    },
  );

  test('a login where the broker wants none, and none where it wants one, are told', async () => {
    await using much = openConnection({ sasl: { mechanism: 'plain', username: 'u', password: CANARY } });
    expect(await much.check()).toMatchObject([{ severity: 'error' }]);
    await faultOf(() => much.discover!());
    if (login === undefined) return;
    await using none = openConnection({ brokers: login });
    expect(await none.check()).toMatchObject([{ severity: 'error' }]);
  });

  test('a right that is missing is told with what is to be granted', async () => {
    if (login === undefined) return;
    const topic = newTopic();
    await using client = openClient();
    await client.createTopic(topic, { partitions: 1, replicas: -1 });
    await using connection = openConnection({ brokers: login, sasl: { mechanism: 'plain', ...kafkaUsers.nobody } });
    for (const work of [
      () => openSource(connection, { topic, fields }),
      async () => {
        const spec = {
          to: { topic, format: 'json' as const, create: true, partitions: 1 },
          unit: 'u',
          schema,
          deletes: 'mirror' as const,
        };
        await (await connection.openTarget!(spec, signal)).prepare();
      },
    ]) {
      const error = await faultOf(work);
      expect(error).toBeInstanceOf(AccessDeniedError);
      expect(error.hint).toContain('Grant');
    }
  });
});
