import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { KafkaClient, type Outgoing, StateTopic, Units } from '@tidemark/connector-kafka/client';
import { serviceOrSkip } from '@tidemark/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, Workplace } from '../src/testing.ts';

// Brokers, queues and documents as people get them wrong, at the command line: each is told with its place and what to do, no password
// is in it, and one bad message stops no other.                                                                          (P2, P10)

const kafka = await serviceOrSkip('kafka');
const PASSWORD = 'canary-of-the-broker';

function write(place: Workplace, connections: object, syncs: object): void {
  const local = { type: 'sqlite', path: './local.db' };
  place.write('tidemark.yaml', JSON.stringify({ connections: { local, ...connections }, syncs }, null, 2));
}

describe('what does not answer', () => {
  let answer: Answer;
  const url = (scheme: string, path: string) => `${scheme}://u:${PASSWORD}@127.0.0.1:1/${path}`;
  beforeAll(async () => {
    using place = new Workplace({ MONGODB: url('mongodb', 'app'), REDIS: url('redis', '0'), KAFKA: url('kafka', '') });
    const connections = {
      topics: { type: 'kafka', brokers: '127.0.0.1:1', sasl: { mechanism: 'plain', username: 'u', password: '$' + '{KAFKA}' } },
      documents: { type: 'mongodb', url: '$' + '{MONGODB}', selectMs: 500 },
      streams: { type: 'queue', url: '$' + '{REDIS}' },
      log: { type: 'queue', url: '$' + '{KAFKA}' },
    };
    const syncs = { a: { from: { connection: 'topics', topic: 't' }, to: { connection: 'local', table: 't' } } };
    write(place, connections, syncs);
    answer = await place.call('check');
  });

  test.each([
    ['topics', 'Kafka does not answer', 'Is a broker running'],
    ['documents', 'no server was found', 'Is MongoDB running'],
    ['streams', 'Redis does not answer', 'Is it running at the host'],
    ['log', 'Kafka does not answer', 'Is a broker running'],
  ])('%s: %s', (connection, message, toDo) => {
    expect(answer.exitCode).toBe(1);
    const said = `${answer.out}${answer.err}`;
    expect(said).toMatch(new RegExp(`connections\\.${connection}: ${message}[^\\n]*\\n\\s+to do: ${toDo}`));
    expect(said).not.toContain(PASSWORD);
  });
});

const reading = { from: { connection: 'bus', topic: 't' }, to: { connection: 'local', table: 't' } };
const bus = { type: 'kafka', brokers: 'kafka.example:9092' };
test.each([
  ['a broker without a port', { bus: { ...bus, brokers: 'kafka.example' } }, reading, 'is written host:port'],
  ['an unknown login', { bus: { ...bus, sasl: { mechanism: 'gssapi', username: 'u', password: 'p' } } }, reading, 'mechanism'],
  ['a topic with a space', { bus }, { ...reading, from: { connection: 'bus', topic: 'a b' } }, 'letters, digits and'],
  [
    'a topic that is Kafka’s own',
    { bus },
    { from: { connection: 'local', table: 't' }, to: { connection: 'bus', topic: '__consumer_offsets' } },
    'for topics of Kafka',
  ],
  [
    'a type of a field that there is none of',
    { bus },
    { ...reading, from: { connection: 'bus', topic: 't', fields: { a: 'string' } } },
    'from.fields.a',
  ],
  ['a journal of what lies in Kafka', { bus }, { ...reading, live: true, journal: '7d' }, 'kept where it lies'],
  [
    'parts of a table',
    { bus },
    { from: { connection: 'local', table: 's' }, to: { connection: 'local', table: 't' }, parts: 2 },
    'can be read',
  ],
  [
    'parts into a file',
    { bus, out: { type: 'file', folder: '.' } },
    { ...reading, to: { connection: 'out', file: 't.csv' }, parts: 2 },
    'one at a time',
  ],
  ['a queue in two places', { bus: { type: 'queue', path: 'q.db', url: 'redis://r:6379' } }, reading, 'needs either path or url'],
  ['a queue in a system that keeps none', { bus: { type: 'queue', url: 'amqp://r:5672' } }, reading, 'begins with'],
  ['documents in another database', { bus: { type: 'mongodb', url: 'mysql://m/app' } }, reading, 'begins with mongodb://'],
  [
    'a collection of the server itself',
    { bus: { type: 'mongodb', url: 'mongodb://m/app' } },
    { ...reading, from: { connection: 'bus', collection: 'system.users' } },
    'is not the name of a collection',
  ],
])('%s is refused before anything runs, with its place', async (_, connections, sync, says) => {
  using place = new Workplace();
  write(place, connections, { s: sync });
  const { exitCode, err } = await place.call('check');
  expect(exitCode).toBe(2);
  expect(err).toMatch(/tidemark\.yaml:\d+:\d+: /);
  expect(err).toContain(says);
});

describe.skipIf(kafka.missing !== null)(`Kafka${kafka.missing === null ? '' : `: ${kafka.missing}`}`, () => {
  const name = `bad-${randomBytes(6).toString('hex')}`;
  const place = new Workplace();
  let client: KafkaClient;
  const sync = {
    from: { connection: 'bus', topic: name, key: 'id', fields: { id: 'text', n: 'integer' } },
    to: { connection: 'local', table: 't' },
  };

  beforeAll(async () => {
    client = new KafkaClient({ brokers: [kafka.url!], tls: null, sasl: null });
    await client.createTopic(name, { partitions: 2, replicas: -1 });
    await using units = new Units(client, new StateTopic(client, `state-${name}`));
    const { epoch } = await units.checkpoints.acquire('them');
    const messages: Outgoing[] = [
      { topic: name, key: 'a', value: '{"id":"a","n":1}' },
      { topic: name, key: 'b', value: '{"id":"b","n":1}' },
      { topic: name, key: 'c', value: '{oops' },
      { topic: name, key: 'd', value: '{"id":"d","n":"many"}' },
      { topic: name, key: 'b', value: null },
    ];
    await units.transact('them', epoch, async ({ send }) => void (await send(messages)) as undefined);
  });
  afterAll(async () => {
    for (const topic of [name, `state-${name}`]) await client.admin.deleteTopics({ topics: [topic] }).catch(() => {});
    await client[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });

  const configure = (own: object) => write(place, { bus: { type: 'kafka', brokers: kafka.url } }, { s: { ...sync, ...own } });

  test('an unknown topic is named, with those that there are', async () => {
    configure({ from: { ...sync.from, topic: `${name}-not` } });
    const { exitCode, err, out } = await place.call('run', 's');
    expect(exitCode).toBe(1);
    expect(`${out}${err}`).toContain(`There is no topic ${name}-not`);
  });

  test('more parts than partitions: each that would read nothing is named', async () => {
    configure({ parts: 3 });
    const { exitCode, err, out } = await place.call('check');
    expect(exitCode).toBe(0);
    expect(`${out}${err}`).toMatch(/syncs\.s\.3of3: part 3 of 3 reads nothing[^\n]*\n\s+to do: write parts: 2/);
  });

  test('messages that cannot be read are failures with their place, a tombstone is a delete, and the others arrive', async () => {
    configure({});
    const run = await place.call('run', 's', '--json');
    expect(run.exitCode).toBe(1);
    expect(JSON.parse(run.out)).toMatchObject({ state: 'succeeded', openFailures: 2 });
    using database = new DatabaseSync(place.path('local.db'));
    expect(
      database
        .prepare('SELECT id, n FROM t')
        .all()
        .map((row) => ({ ...row })),
    ).toEqual([{ id: 'a', n: 1 }]);
    const { out } = await place.call('failures', 'list');
    expect(out).toContain('The message is not JSON');
    expect(out).toContain('its n is no integer');
    expect(out).toMatch(new RegExp(`${name}/\\d/\\d`));
  });

  test('a topic that was made anew is not taken for the one that was read', async () => {
    await client.admin.deleteTopics({ topics: [name] });
    await expect.poll(() => client.topic(name)).toBeNull();
    await client.createTopic(name, { partitions: 2, replicas: -1 });
    configure({});
    const { exitCode, err, out } = await place.call('run', 's');
    expect(exitCode).toBe(1);
    expect(`${out}${err}`).toMatch(/the connection now leads to|was made anew/);
    expect(`${out}${err}`).toContain('reset');
  });
});
