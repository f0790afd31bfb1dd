import {
  backoffMs,
  type ConnectorContext,
  type Delivery,
  type EventStream,
  type RetryPolicy,
  type StreamEvent,
  type StreamSpec,
  type StreamState,
} from '@tidemark/core';
import type { ChangeStream, ChangeStreamDocument, Db } from 'mongodb';
import { decodeToken, encodeToken, endsStream, eventOf, eventsOf, isPassing, streamFaultOf } from './stream-event.ts';

/** The server answers a look for more after so long, or when it comes. */
const WAIT_MS = 1000;
const EVENTS_A_DELIVERY = 100;
/** A quiet stream tells its position as often: one that stays where it was falls off the end of the oplog. */
const QUIET_MS = 10_000;
/** The driver resumes what breaks once; then it is opened anew. */
const RECONNECT: RetryPolicy = { attemptsMax: 8, delayMs: 500, delayMsMax: 30_000 };

/** Changes of a database, as its oplog tells them, by `watch`. */
export class MongodbStream implements EventStream {
  readonly origin: string;
  readonly #db: Db;
  readonly #spec: StreamSpec;
  readonly #context: ConnectorContext;
  #position: string | null;
  #granted = 0;
  #wake: () => void = () => {};
  #state: StreamState = {
    ...{ transport: 'change stream', connected: false, reconnects: 0 },
    ...{ lastHeardAtMs: null, reason: null, nextTryAtMs: null },
  };

  constructor(db: Db, spec: StreamSpec, context: ConnectorContext) {
    this.origin = `mongodb:${db.databaseName}`;
    this.#db = db;
    this.#spec = spec;
    this.#context = context;
    this.#position = spec.position;
  }

  async *deliveries(signal: AbortSignal): AsyncGenerator<Delivery> {
    const { clock, random } = this.#context;
    for (let failures = 0; !signal.aborted; ) {
      try {
        for await (const delivery of this.#session(signal, this.#state.reconnects > 0)) {
          failures = 0;
          yield delivery;
        }
      } catch (error) {
        if (signal.aborted) return;
        const fault = streamFaultOf(error);
        if (!isPassing(fault) || ++failures >= RECONNECT.attemptsMax) throw fault;
        const waitMs = backoffMs(failures, RECONNECT, random);
        const reason = fault instanceof Error ? fault.message : String(fault);
        this.#told({ connected: false, reason, nextTryAtMs: clock.now() + waitMs });
        await clock.sleep(waitMs, signal).catch(() => {});
      }
      this.#told({ reconnects: this.#state.reconnects + 1 });
    }
  }

  grant(events: number): void {
    this.#granted += events;
    this.#wake();
  }

  state(): StreamState {
    return this.#state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wake();
  }

  /** One cursor, until it breaks or its database goes. */
  async *#session(signal: AbortSignal, isAgain: boolean): AsyncGenerator<Delivery> {
    const resume = this.#position === null ? {} : { resumeAfter: decodeToken(this.#position) };
    const stream = this.#db.watch(eventsOf(this.#spec.datasets), { ...resume, maxAwaitTimeMS: WAIT_MS });
    const close = () => void stream.close().catch(() => {});
    signal.addEventListener('abort', close, { once: true });
    try {
      let reset = isAgain;
      let toldAtMs = Number.NEGATIVE_INFINITY;
      let toldCaughtUp = false;
      while (!signal.aborted) {
        await this.#room(signal);
        const { events, caughtUp, ended } = await this.#look(stream, signal);
        const token = stream.resumeToken;
        if (token !== undefined && token !== null) this.#position = encodeToken(token);
        const nowMs = this.#context.clock.now();
        this.#told({ connected: true, reason: null, nextTryAtMs: null, lastHeardAtMs: nowMs });
        // A server that has told no position yet has nothing from which one could go on.
        const isNews = events.length > 0 || (caughtUp && !toldCaughtUp);
        if (this.#position !== null && (isNews || nowMs - toldAtMs >= QUIET_MS)) {
          const position = events.at(-1)?.position ?? this.#position;
          this.#granted -= events.length;
          yield { events, position, caughtUp, reset };
          reset = false;
          toldAtMs = nowMs;
          toldCaughtUp = caughtUp;
        }
        if (!ended) continue;
        // What resumes after the end of a database would end at once, again and again.
        this.#position = null;
        return;
      }
    } finally {
      signal.removeEventListener('abort', close);
      await stream.close().catch(() => {});
    }
  }

  async #look(stream: ChangeStream, signal: AbortSignal): Promise<{ events: StreamEvent[]; caughtUp: boolean; ended: boolean }> {
    const events: StreamEvent[] = [];
    const most = Math.min(EVENTS_A_DELIVERY, this.#granted);
    while (events.length < most && !signal.aborted) {
      const change = (await stream.tryNext()) as ChangeStreamDocument | null;
      if (change === null) return { events, caughtUp: true, ended: false };
      events.push(...this.#eventsOf(change));
      if (endsStream(change)) return { events, caughtUp: true, ended: true };
    }
    return { events, caughtUp: false, ended: false };
  }

  /** What is said of the database is about each of its collections. */
  #eventsOf(change: ChangeStreamDocument): StreamEvent[] {
    const ns = 'ns' in change ? (change.ns as { coll?: string }) : {};
    const collections = ns.coll === undefined ? this.#spec.datasets : [ns.coll];
    return collections.map((collection) => eventOf(change, collection, this.#context.clock.now()));
  }

  async #room(signal: AbortSignal): Promise<void> {
    while (this.#granted <= 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #told(change: Partial<StreamState>): void {
    this.#state = { ...this.#state, ...change };
  }
}
