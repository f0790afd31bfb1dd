import type { RollingLimit } from '../limits/rolling-limit.ts';

/** What one message carries under `data`; undefined when it cannot be told. */
export type MessageData = Record<string, unknown> | undefined;

/** One event of a channel, as one user may see it. */
export interface StreamEvent {
  data(apiVersion: number): MessageData;
}

/** A channel of the Streaming API: change events, platform events, PushTopics, generic events. */
export interface StreamChannel {
  /** As clients name it: `/data/AccountChangeEvent`, `/topic/NewAccounts`. */
  readonly name: string;
  /** What each delivered event counts against. */
  readonly allocation: RollingLimit;
  /** PushTopics and generic events name the client that they are sent to. */
  readonly namesClient: boolean;
  /** A position for a replay value (-1, -2, or an event's id), fixed now. @throws {InvalidReplayIdError} */
  resolve(replayId: number): number;
  /** Events after `after`, at most `max`; `next` is where to read on. */
  read(after: number, max: number, userId: string): { events: StreamEvent[]; next: number };
}

/** A refusal in Bayeux's form: `403::Unknown client`. */
export class BayeuxError extends Error {
  override readonly name = 'BayeuxError';
}

/** What a Bayeux reply advises the client to do next. */
export interface Advice {
  reconnect: 'retry' | 'handshake' | 'none';
  interval?: number;
  timeout?: number;
}

export interface StreamingWaits {
  /** How long a connect is held when there is nothing to say: 110 s. */
  readonly holdMs: number;
  /** How soon after a reply the client connects again, or it is forgotten: 40 s. */
  readonly reconnectMs: number;
}
