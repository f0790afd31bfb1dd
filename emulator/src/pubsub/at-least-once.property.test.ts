import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { fixtureTopic } from './bus-fixture.ts';
import type { TestStream } from './client-fixture.ts';
import { countEvents, numbersOf, startPubSubFixture } from './pubsub-fixture.ts';

// Whatever a subscriber asks for and however often its stream breaks: as long as it resumes after the last replay id that
// it holds, it sees every event, in order, and at no time more events than it asked for. This is what P1 rests on.

type Step =
  | { do: 'publish'; events: number }
  | { do: 'fetch'; events: number }
  | { do: 'crash'; resumeAt: 'event' | 'latest' }
  | { do: 'fault'; kind: 'stream-drop' | 'stream-error' | 'stream-duplicate' | 'stream-split'; events: number }
  | { do: 'keepalive' };

/** The stream breaks when all that it has told is a keepalive's position, from before the first event. */
const brokenAfterKeepalive: Step[] = [
  { do: 'keepalive' },
  { do: 'keepalive' },
  { do: 'fault', kind: 'stream-drop', events: 0 },
  { do: 'publish', events: 1 },
];

const step = (): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('publish' as const), events: fc.integer({ min: 1, max: 60 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('fetch' as const), events: fc.integer({ min: 1, max: 130 }) }) },
    fc.record({ do: fc.constant('crash' as const), resumeAt: fc.constantFrom('event' as const, 'latest' as const) }),
    fc.record({
      do: fc.constant('fault' as const),
      kind: fc.constantFrom(
        'stream-drop' as const,
        'stream-error' as const,
        'stream-duplicate' as const,
        'stream-split' as const,
      ),
      events: fc.integer({ min: 0, max: 9 }),
    }),
    fc.record({ do: fc.constant('keepalive' as const) }),
  );

test(`every event at least once and in order, never more than pending ${evidence('documented', 'Pub/Sub API guide, Pull Subscription and Flow Control')}`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step(), { maxLength: 14 }), async (steps) => {
      const fixture = await startPubSubFixture();
      const { bus, client, faults, clock } = fixture;
      try {
        const seen: number[] = [];
        /** What the subscriber holds: everything up to here is applied. */
        let held: { event?: Uint8Array; latest?: Uint8Array } = {};
        let stream: TestStream | undefined;
        let asked = 0;
        let taken = 0;
        let over = false;
        let published = 0;
        const take = () => {
          if (!stream) return;
          // The server may not send what was not asked for, whatever else happens.
          expect(countEvents(stream.received)).toBeLessThanOrEqual(asked);
          for (const message of stream.received.slice(taken)) {
            const numbers = numbersOf(bus, [message]);
            seen.push(...numbers);
            const last = message.events.at(-1)?.replayId;
            held = { event: last ?? held.event, latest: message.latestReplayId };
          }
          taken = stream.received.length;
        };
        const open = (resumeAt: 'event' | 'latest') => {
          const replayId = resumeAt === 'latest' ? (held.latest ?? held.event) : held.event;
          const at = replayId ? { replayPreset: 'CUSTOM', replayId } : { replayPreset: 'EARLIEST' };
          stream = client.stream('Subscribe');
          over = false;
          stream.ended.then(() => {
            over = true;
          });
          asked = 1;
          taken = 0;
          stream.send({ topicName: fixtureTopic, ...at, numRequested: 1 });
        };
        // An answered call on the same connection: what was sent before has been dealt with.
        const settle = async () => {
          await client.unary('GetTopic', { topicName: fixtureTopic }).catch(() => {});
          take();
          if (over || !stream) open('latest');
        };
        open('event');
        for (const action of steps) {
          if (action.do === 'publish') {
            published += action.events;
            bus.append(action.events);
          } else if (action.do === 'fetch') {
            asked += action.events;
            stream?.send({ numRequested: action.events });
          } else if (action.do === 'crash') {
            take();
            stream?.cancel();
            await stream?.ended;
            open(action.resumeAt);
          } else if (action.do === 'fault') {
            const params = action.kind === 'stream-duplicate' ? {} : { events: action.events };
            faults.add({ kind: action.kind, params, match: { times: 1 } });
          } else clock.advance(270_000);
          await settle();
        }
        faults.clear();
        for (let round = 0; round < 100 && !seen.includes(published) && published > 0; round++) {
          asked += 100;
          stream?.send({ numRequested: 100 });
          await settle();
        }
        // Repeats apart, the numbers are 1, 2, 3 … without a hole; a repeat begins again somewhere behind.
        let highest = 0;
        for (const number of seen) {
          expect(number).toBeLessThanOrEqual(highest + 1);
          highest = Math.max(highest, number);
        }
        expect(highest).toBe(published);
      } finally {
        await fixture.close();
      }
    }),
    { numRuns: 60, examples: [[brokenAfterKeepalive]] },
  );
});
