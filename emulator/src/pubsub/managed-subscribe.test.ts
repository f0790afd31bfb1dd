import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { fixtureTopic } from './bus-fixture.ts';
import { connectClient, type Received } from './client-fixture.ts';
import { managedSubscriptionsMax } from './managed-subscriptions.ts';
import { countEvents, numbersOf, type PubSubFixture, startPubSubFixture } from './pubsub-fixture.ts';

// The server keeps the position: whoever comes back goes on after what was committed, and a commit that cannot be made
// is told without ending the stream.

const guide = (section: string) => evidence('documented', `Pub/Sub API guide, ${section}`);
const managed = guide('Managed Event Subscriptions');
const handling = guide('Handle Errors');

let fixture: PubSubFixture;
beforeEach(async () => {
  fixture = await startPubSubFixture();
  fixture.managed.define({ developerName: 'Crm', topicName: fixtureTopic, defaultReplay: 'EARLIEST' });
});
afterEach(() => fixture.close());

const numbers = (messages: readonly Received[]) => numbersOf(fixture.bus, messages);
const begin = (
  request: Record<string, unknown> = { developerName: 'Crm', numRequested: 10 },
  metadata?: Record<string, string>,
) => {
  const stream = fixture.client.stream('ManagedSubscribe', metadata);
  stream.send(request);
  return stream;
};
const commitOf = (id: string, replayId: Uint8Array) => ({ commitReplayIdRequest: { commitRequestId: id, replayId } });
const answers = (all: readonly Received[]) => all.flatMap(({ commitResponse }) => (commitResponse ? [commitResponse] : []));
const answered = (count: number) => (all: readonly Received[]) => answers(all).length >= count;
const error = (suffix: string) => `sfdc.platform.eventbus.grpc.managed.subscription.${suffix}`;

test(`who comes back goes on after what was committed last ${managed}`, async () => {
  fixture.bus.append(5);
  const { id } = fixture.managed.byName('Crm') ?? { id: '' };
  expect(id).toMatch(/^18x\w{15}$/);
  const first = begin();
  const [message] = await first.until((all) => countEvents(all) >= 5);
  first.send(commitOf('c1', message.events[2].replayId));
  const [answer] = answers(await first.until(answered(1)));
  expect(answer).toMatchObject({ commitRequestId: 'c1', error: null, processTime: fixture.clock.now() });
  first.half();
  await first.ended;
  for (const request of [{ subscriptionId: id }, { subscriptionId: id.slice(0, 15) }]) {
    const again = begin({ ...request, numRequested: 10 });
    expect(numbers(await again.until((all) => countEvents(all) >= 2))).toEqual([4, 5]);
    again.half();
    await again.ended;
  }
});

test(`without a commit it begins where its configuration says ${evidence('documented', 'Metadata API, ManagedEventSubscription')}`, async () => {
  fixture.bus.append(3);
  fixture.managed.define({ developerName: 'Late', topicName: fixtureTopic });
  const [late, early] = [begin({ developerName: 'Late', numRequested: 5 }), begin()];
  await early.until((all) => countEvents(all) >= 3);
  fixture.bus.append(1);
  expect(numbers(await late.until((all) => countEvents(all) >= 1))).toEqual([4]);
});

test.each([
  ['EARLIEST', [4, 5]],
  ['LATEST', [5]],
] as const)(
  `from %s when what was committed is past retention ${evidence('documented', 'Metadata API, ManagedEventSubscription')}`,
  async (errorRecoveryReplay, expected) => {
    const { id } = fixture.managed.define({ developerName: 'Crm', topicName: fixtureTopic, errorRecoveryReplay });
    const ids = fixture.bus.append(3);
    fixture.managed.commit(id, ids[0] as number);
    fixture.clock.advance(80 * 3600_000);
    fixture.bus.append(1);
    const stream = begin(undefined, fixture.signIn());
    if (errorRecoveryReplay === 'EARLIEST') await stream.until((all) => countEvents(all) >= 1);
    else {
      const other = connectClient(fixture.pubsub.endpoint, fixture.signIn());
      // The stream has begun once its place is taken.
      for (let taken = false; !taken; ) {
        const probe = other.stream('ManagedSubscribe');
        probe.send({ developerName: 'Crm', numRequested: 1 });
        taken = (await Promise.race([probe.ended, probe.until((all) => all.length > 0).then(() => undefined)]))?.code === 6;
        probe.cancel();
      }
      other.close();
    }
    fixture.bus.append(1);
    expect(numbers(await stream.until((all) => numbers(all).includes(5)))).toEqual(expected);
  },
);

test(`commits that come together are answered once, for the last ${guide('pubsub_api.proto, CommitReplayResponse')}`, async () => {
  const ids = fixture.bus.append(5);
  const stream = begin();
  const [message] = await stream.until((all) => countEvents(all) >= 5);
  const { events } = message;
  for (const n of [0, 1, 2, 3]) stream.send(commitOf(`c${n}`, events[n].replayId));
  const answer = answers(await stream.until((all) => answers(all).at(-1)?.commitRequestId === 'c3'));
  expect(answer.length).toBeLessThanOrEqual(4);
  expect(fixture.managed.byName('Crm')?.committed).toBe(ids[3]);
});

test(`a commit that cannot be made is told, and the stream goes on ${handling}`, async () => {
  fixture.bus.append(5);
  const stream = begin({ developerName: 'Crm', numRequested: 3 });
  const [message] = await stream.until((all) => countEvents(all) >= 3);
  const later = fixture.bus.replayBytes(fixture.bus.latestReplayId());
  const attempts: [Uint8Array, RegExp][] = [
    [message.events[1].replayId, /^$/],
    [new Uint8Array(), /no Replay ID/],
    [new Uint8Array(10).fill(0x7f), /validation failed/],
    [later, /not delivered yet/],
    [message.events[0].replayId, /older than the one that was committed/],
  ];
  for (const [index, [replayId, expected]] of attempts.entries()) {
    stream.send(commitOf(`c${index}`, replayId));
    const answer = answers(await stream.until(answered(index + 1))).at(-1);
    expect(answer.error?.msg ?? '').toMatch(expected);
    if (answer.error) expect(answer.error.code).toBe('COMMIT');
  }
  stream.send({ numRequested: 2 });
  expect(numbers(await stream.until((all) => countEvents(all) >= 5))).toEqual([1, 2, 3, 4, 5]);
});

test(`the id of a keepalive can be committed ${managed}`, async () => {
  const stream = begin();
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  fixture.bus.elsewhere();
  fixture.clock.advance(270_000);
  const [empty] = await stream.until((all) => all.length > 0);
  stream.send(commitOf('c', empty.latestReplayId));
  expect(answers(await stream.until(answered(1)))[0].error).toBeNull();
  expect(fixture.managed.byName('Crm')?.committed).toBe(fixture.bus.latestReplayId());
});

test(`one client at a time; a place is free when its stream has ended ${handling}`, async () => {
  fixture.bus.append(1);
  const first = begin();
  await first.until((all) => countEvents(all) >= 1);
  const second = begin();
  expect(await second.ended).toMatchObject({ code: 6, errorCode: error('already.active') });
  first.half();
  await first.ended;
  await begin().until((all) => countEvents(all) >= 1);
});

test.each([
  ['neither id nor name', { numRequested: 1 }, 'id.or.developer.name.empty'],
  ['both', { subscriptionId: '18x000000000001', developerName: 'Crm', numRequested: 1 }, 'id.or.developer.name.empty'],
  ['an unknown name', { developerName: 'Nobody', numRequested: 1 }, 'developer.name.not.found'],
  ['an unknown id', { subscriptionId: '18x000000000099', numRequested: 1 }, 'subscription.id.not.found'],
  ['an id that is none', { subscriptionId: '18x', numRequested: 1 }, 'subscription.id.invalid'],
  ['less than nothing', { developerName: 'Crm', numRequested: -1 }, 'fetch.request.events.invalid'],
  [
    'a commit at first',
    { developerName: 'Crm', numRequested: 1, ...commitOf('c', new Uint8Array(10)) },
    'fetch.request.commit.request.restricted',
  ],
  ['a refresh at first', { developerName: 'Crm', authRefresh: 'x' }, 'fetch.request.auth.request.restricted'],
])(`refused: %s ${handling}`, async (_case, request, suffix) => {
  expect(await begin(request).ended).toMatchObject({ errorCode: error(suffix) });
});

test(`a request that asks for nothing at all is refused ${handling}`, async () => {
  const stream = begin();
  stream.send({});
  expect(await stream.ended).toMatchObject({ errorCode: error('fetch.request.invalid') });
});

test(`stopped or deleted, before and while it runs ${handling}`, async () => {
  fixture.bus.append(1);
  const running = begin();
  await running.until((all) => countEvents(all) >= 1);
  fixture.managed.define({ developerName: 'Crm', topicName: fixtureTopic, state: 'STOP' });
  expect(await running.ended).toMatchObject({ errorCode: error('config.stopped') });
  expect(await begin().ended).toMatchObject({ errorCode: error('config.stopped') });
  fixture.managed.define({ developerName: 'Crm', topicName: fixtureTopic, state: 'RUN' });
  const again = begin();
  await again.until((all) => countEvents(all) >= 1);
  expect(fixture.managed.remove('Crm')).toBe(true);
  expect(await again.ended).toMatchObject({ errorCode: error('config.deleted') });
});

test(`an org has two hundred of them ${managed}; a misspelt one is refused`, () => {
  for (let n = 1; n < managedSubscriptionsMax; n++) fixture.managed.define({ developerName: `S${n}`, topicName: fixtureTopic });
  expect(() => fixture.managed.define({ developerName: 'More', topicName: fixtureTopic })).toThrow(/at most 200/);
  const spec = { developerName: 'Crm', topicName: fixtureTopic };
  for (const wrong of [
    { state: 'PAUSE' },
    { defaultReplay: 'CUSTOM' },
    { topicName: 'x' },
    { topic: 'x' },
    { developerName: '1' },
  ]) {
    expect(() => fixture.managed.define({ ...spec, ...wrong } as never)).toThrow(TypeError);
  }
});
