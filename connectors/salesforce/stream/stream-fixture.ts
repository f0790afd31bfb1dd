import {
  type Clock,
  type ConnectorContext,
  type Delivery,
  type EventStream,
  type StreamEvent,
  systemClock,
} from '@tidemark/core';
import { type TestOrg, testOrg } from '../fixture.ts';
import type { TransportName } from './transport.ts';

/** What the tests of streams share: an org that tells its changes, and somebody who listens. */

export const captured = ['Account', 'Contact', 'Lead', 'Opportunity', 'Case'];

/** Waits between tries, which are random, are short; those for somebody else to answer or be heard of, which are round, are not. */
const isPatient = (ms: number) => ms >= 30_000 && ms % 5_000 === 0;
const clock: ConnectorContext['clock'] = {
  now: () => Date.now(),
  sleep: (ms, abort) => systemClock.sleep(isPatient(ms) ? ms : Math.min(ms, 2), abort),
};

export interface StreamOrg extends TestOrg {
  listen(options?: ListenOptions): Promise<Listener>;
  /** Where the bus stands now, as a position of this transport. */
  position(): string;
}

export interface ListenOptions {
  readonly datasets?: readonly string[];
  readonly channel?: string;
  readonly position?: string | null;
  /** Events allowed from the beginning, and whether each one that comes allows another. */
  readonly grant?: number;
  readonly replenish?: boolean;
  readonly over?: Partial<ConnectorContext>;
  readonly settings?: object;
  readonly raw?: boolean;
}

export interface Listener extends AsyncDisposable {
  readonly stream: EventStream;
  readonly deliveries: readonly Delivery[];
  readonly events: readonly StreamEvent[];
  /** Where to go on, after all that came. */
  readonly position: string | null;
  /** Waits until what came satisfies this. @throws what ended the stream */
  until(satisfied: (events: readonly StreamEvent[], deliveries: readonly Delivery[]) => boolean): Promise<void>;
  /** What ended it. */
  failure(): Promise<unknown>;
}

export async function streamOrg(transport: TransportName, options: Parameters<typeof testOrg>[0] = {}): Promise<StreamOrg> {
  const org = await testOrg({ changeEvents: captured, ...options });
  const { emulator } = org;
  const position = () => {
    const id = emulator.events.latestReplayId();
    return transport === 'cometd' ? `cometd:${id}` : `pubsub:${Buffer.from(emulator.events.replayBytes(id)).toString('base64')}`;
  };
  return {
    ...org,
    position,
    async listen({
      datasets = captured,
      channel,
      position: from = position(),
      grant = 100,
      replenish = true,
      over,
      settings,
      raw = false,
    } = {}) {
      const connection = org.connect(
        { clock, ...over },
        {
          stream: transport,
          ...(transport === 'pubsub' ? { pubsubEndpoint: emulator.credentials.pubsubEndpoint } : {}),
          ...settings,
        },
      );
      const abort = new AbortController();
      const stream = await connection.openStream!({ channel: channel ?? null, datasets, position: from, raw }, abort.signal);
      return collect(stream, abort, grant, replenish);
    },
  };
}

function collect(stream: EventStream, abort: AbortController, grant: number, replenish: boolean): Listener {
  const deliveries: Delivery[] = [];
  const events: StreamEvent[] = [];
  const watchers = new Set<() => void>();
  let over: { error: unknown } | null = null;
  const look = () => {
    for (const watcher of [...watchers]) watcher();
  };
  const run = async () => {
    for await (const delivery of stream.deliveries(abort.signal)) {
      deliveries.push(delivery);
      events.push(...delivery.events);
      if (replenish) stream.grant(delivery.events.length);
      look();
    }
  };
  const ended = run()
    .then(
      () => ({ error: undefined }),
      (error: unknown) => ({ error }),
    )
    .then((end) => {
      over = end;
      look();
      return end;
    });
  stream.grant(grant);
  return {
    stream,
    deliveries,
    events,
    get position() {
      return deliveries.at(-1)?.position ?? null;
    },
    until: (satisfied) =>
      new Promise((resolve, reject) => {
        const watcher = () => {
          const isDone = satisfied(events, deliveries);
          if (!isDone && over === null) return;
          watchers.delete(watcher);
          if (isDone) resolve();
          else reject(over!.error ?? new Error('the stream has ended'));
        };
        watchers.add(watcher);
        watcher();
      }),
    failure: async () => (await ended).error,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await stream[Symbol.asyncDispose]();
      await ended;
    },
  };
}

/** Waits between tries are over at once, and their time has passed. */
export function swiftClock(): { clock: Clock; elapsedMs(): number } {
  let aheadMs = 0;
  return {
    elapsedMs: () => aheadMs,
    clock: {
      now: () => systemClock.now() + aheadMs,
      async sleep(ms, signal) {
        const isBetweenTries = ms % 1000 !== 0;
        await systemClock.sleep(isBetweenTries ? 1 : ms, signal);
        if (isBetweenTries) aheadMs += ms;
      },
    },
  };
}
