import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { FaultKind, FaultMatch } from '../faults/types.ts';
import type { TestOrg } from '../http/testing.ts';
import { type BareClient, bareClient, eventsOf, publish, startStreamingOrg } from './cometd-fixture.ts';

// A subscriber that keeps its replay map and subscribes anew with it loses nothing within retention, whatever breaks in
// between; what comes again is what it had not noted yet.                                                            (P1)

const topics = ['/event/Note__e', '/data/ChangeEvents'] as const;

const troubles = [
  'restart',
  'leave',
  'start-anew',
  'lose-a-reply',
  'let-time-pass',
  'stream-drop',
  'stream-duplicate',
  'stream-split',
] as const;

/** What happens next. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('insert' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('connect' as const), count: fc.constant(1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom(...troubles), count: fc.constant(1) }) },
);

/** As a careful engineer writes one: the map moves when an event is handled, and every trouble is a new start. */
function createSubscriber(org: TestOrg) {
  const map: Record<string, number> = Object.fromEntries(topics.map((topic) => [topic, -1]));
  const handled: Record<string, unknown[]> = Object.fromEntries(topics.map((topic) => [topic, []]));
  let client: BareClient;

  async function start(): Promise<void> {
    let subscribed = false;
    while (!subscribed) {
      client = bareClient(org);
      client.token = org.emulator.sessions.start(org.emulator.org.adminUserId).token;
      await client.handshake().catch(() => {});
      const replies = await Promise.all(topics.map((topic) => client.subscribe(topic, map).catch(() => undefined)));
      for (const reply of replies) if (reply?.error) expect(reply.error).toBe('403::Unknown client');
      subscribed = replies.every((reply) => reply?.successful === true);
    }
  }

  /** One connect, answered at once as its advice asks for. @returns whether something was heard. */
  async function connect(): Promise<boolean> {
    const { clientId } = client;
    const advice = { timeout: 0 };
    const message = { channel: '/meta/connect', clientId, connectionType: 'long-polling', id: 'c', advice };
    const messages = (await client.post([message]).catch(() => undefined))?.messages ?? [];
    const events = eventsOf(messages);
    for (const { channel, data } of events) {
      handled[channel]?.push(data.payload.N__c ?? data.payload.Name);
      map[channel] = data.event.replayId;
    }
    if (messages.at(-1)?.successful === true) return events.length > 0;
    await start();
    return true;
  }

  const leave = () => client.post([{ channel: '/meta/disconnect', clientId: client.clientId, id: 'd' }]).catch(() => {});
  return { start, connect, leave, handled };
}

test(`random publishing, restarts and lost replies: everything is heard, in order ${evidence('documented', 'Streaming API Developer Guide, Message Durability')}`, () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const org = await startStreamingOrg({ pubsub: false, limits: { StreamingApiConcurrentClients: 1000 } });
      const { streaming, faults, org: salesforce } = org.emulator;
      const subscriber = createSubscriber(org);
      const sent = { [topics[0]]: [] as number[], [topics[1]]: [] as string[] };
      let n = 0;
      const publishNext = (count: number) => {
        const numbers = Array.from({ length: count }, () => ++n);
        publish(org, ...numbers);
        sent[topics[0]].push(...numbers);
      };
      const insertNext = (count: number) => {
        for (let i = 0; i < count; i += 1) {
          org.insert('Account', { Name: `a${++n}` });
          sent[topics[1]].push(`a${n}`);
        }
      };
      const strike = (kind: FaultKind, match: FaultMatch, events?: number) =>
        faults.add({ kind, match: { ...match, times: 1 }, ...(events === undefined ? {} : { params: { events } }) });
      const steppings: Record<(typeof steps)[number]['kind'], (count: number) => unknown> = {
        publish: publishNext,
        insert: insertNext,
        connect: () => subscriber.connect(),
        restart: () => streaming.forgetClients(),
        leave: () => subscriber.leave(),
        'start-anew': () => subscriber.start(),
        'lose-a-reply': () => strike('lost-response', { path: '/cometd' }),
        'let-time-pass': () => salesforce.clock.advance(2 * 3_600_000),
        'stream-drop': () => strike('stream-drop', {}, 1),
        'stream-duplicate': () => strike('stream-duplicate', {}),
        'stream-split': () => strike('stream-split', {}, 1),
      };
      try {
        await subscriber.start();
        // A position is one once something was heard: before, a new start begins with what is new then.
        publishNext(1);
        insertNext(1);
        while (await subscriber.connect());
        for (const { kind, count } of steps) await steppings[kind](count);
        faults.clear();
        while (await subscriber.connect());
        for (const topic of topics) expect([...new Set(subscriber.handled[topic])]).toEqual(sent[topic]);
      } finally {
        await org.emulator.close();
      }
    }),
    { numRuns: 40 },
  ));
