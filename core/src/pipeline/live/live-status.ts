import type { Clock } from '../../base/clock.ts';
import type { Delivery, EventStream, StreamState } from '../../model/stream.ts';

/**
 * - `connecting`: being opened for the first time; nothing is known against it.
 * - `catching up`: connected, and behind: something is read again, or older events are still coming.
 * - `live`: connected, and everything that was told is in the target.
 * - `waiting`: not connected for a moment; `reason` says why, `nextTryMs` when it is tried again.
 * - `polling`: not connected for longer, or told not to come back for a while (the day's deliveries are spent, a right is missing):
 *   deltas run often instead, until it is. Not of topics, which nothing can stand in for: those wait.
 * - `paused`: the user has paused every sync of it.
 * - `stopped`: nobody follows it. `reason` says why, if it was not asked for.
 */
export type LiveState = 'connecting' | 'catching up' | 'live' | 'waiting' | 'polling' | 'paused' | 'stopped';

/** What makes a hole: the position was lost; an event named records and no values; an event named no records. */
export type HoleCause = 'lost' | 'gap' | 'overflow';

/** Records written, by what became of them. */
export type Outcomes = Record<'created' | 'updated' | 'deleted' | 'unchanged' | 'rejected', number>;

export function noOutcomes(): Outcomes {
  return { created: 0, updated: 0, deleted: 0, unchanged: 0, rejected: 0 };
}

/** How a stream is doing, for `status`, the metrics and the log. Times are epoch ms by our clock, unless they say otherwise. */
export interface LiveStatus {
  /** Names the unit of work: source connection, target connection. */
  readonly stream: string;
  readonly syncs: readonly string[];
  readonly state: LiveState;
  /** Why it is not connected; null when it is. */
  readonly reason: string | null;
  /** When it is tried again; null when it is connected, or being tried just now. */
  readonly nextTryMs: number | null;
  readonly connected: boolean;
  /** Since when it is connected, or is not. */
  readonly sinceMs: number;
  /** `pubsub`, `cometd`; null before one was chosen. */
  readonly transport: string | null;
  /** When anything came last, keepalives among it. */
  readonly lastHeardMs: number | null;
  /** When the last event that was written was committed at the source, by the source's clock. */
  readonly lastEventMs: number | null;
  /** How old the oldest change may be that the stream owes us: 0 when it owes nothing, growing while it is down. Null when unknown. */
  readonly lagMs: number | null;
  /** Events delivered and not yet written. */
  readonly waiting: number;
  readonly events: number;
  readonly transactions: number;
  readonly reconnects: number;
  /** Of each sync that it has written to. */
  readonly records: { readonly [sync: string]: Readonly<Outcomes> };
  /** Transactions that became visible in more than one step (P6). */
  readonly splits: number;
  /** When the position was kept that it would go on from. */
  readonly positionMs: number | null;
  /** Holes that were mended, by what made them. */
  readonly healed: Readonly<Record<HoleCause, number>>;
  /** Syncs that it does not feed for now, and why: the others go on. */
  readonly aside: { readonly [sync: string]: string };
  /** Syncs with a reread still to come, or under way. */
  readonly rereads: readonly string[];
  /** Of a topic: stretches of time whose events are gone for good, because the source retains them no more. */
  readonly holes: readonly { readonly fromMs: number; readonly toMs: number }[];
}

const outcomeNames = Object.keys(noOutcomes()) as (keyof Outcomes)[];
/** A change that is on its way for less long is no backlog. */
const BEHIND_MS = 10_000;
/** A stream that has been down for so long is stood in for by deltas. */
const POLLING_AFTER_MS = 60_000;

interface Down {
  readonly reason: string;
  readonly nextTryMs: number;
  /** It is known that it will take a while. */
  readonly long: boolean;
}

/** Takes note of what happens to a stream, and tells how it stands. */
export class LiveProgress {
  events = 0;
  transactions = 0;
  splits = 0;
  rereads: readonly string[] = [];
  aside: LiveStatus['aside'] = {};
  holes: LiveStatus['holes'] = [];
  /** By the user, every sync. */
  paused = false;
  readonly #unit: string;
  readonly syncs: readonly string[];
  readonly #clock: Clock;
  readonly #polls: boolean;
  #stream: EventStream | null = null;
  #backlog: () => number = () => 0;
  /** The stream has said where it stands. */
  #heard = false;
  #caughtUp = false;
  #everHeard = false;
  /** It failed, or was lost, since it was heard last. */
  #interrupted = false;
  #down: Down | null = null;
  #ended = false;
  #endReason: string | null = null;
  #isAway = false;
  #connected = false;
  #sinceMs: number;
  #reconnects = 0;
  #lastHeardMs: number | null = null;
  #lastEventMs: number | null = null;
  #positionMs: number | null = null;
  /** All that was committed before this is in the targets, by the source's clock. */
  #asOfMs: number | null = null;
  #sourceNow: () => number;
  #transport: string | null = null;
  readonly #records = new Map<string, Outcomes>();
  readonly #healed: Record<HoleCause, number> = { lost: 0, gap: 0, overflow: 0 };
  readonly #holes = new Set<{ readonly cause: HoleCause; readonly syncs: Set<string> }>();

  /** @param options.polls  deltas can stand in for it */
  constructor(unit: string, syncs: readonly string[], clock: Clock, options: { readonly polls: boolean } = { polls: true }) {
    this.#polls = options.polls;
    this.#unit = unit;
    this.syncs = syncs;
    this.#clock = clock;
    this.#sinceMs = clock.now();
    this.#sourceNow = () => clock.now();
  }

  /** A stream is open, from a position that was kept then. Null: from now on. */
  following(stream: EventStream, backlog: () => number, keptAtMs: number | null): void {
    this.#stream = stream;
    this.#backlog = backlog;
    this.#heard = false;
    this.#caughtUp = false;
    this.#sourceNow = () => stream.nowMs?.() ?? this.#clock.now();
    if (keptAtMs === null) return;
    this.#positionMs = keptAtMs;
    this.#asOfMs ??= keptAtMs + this.#sourceNow() - this.#clock.now();
  }

  heard({ events, caughtUp, reset }: Delivery): void {
    this.#lastHeardMs = this.#clock.now();
    this.events += events.length;
    this.#caughtUp = caughtUp;
    if (this.#everHeard && (reset || this.#interrupted)) this.#reconnects++;
    this.#interrupted = false;
    this.#everHeard = true;
    this.#heard = true;
    this.#down = null;
    this.#observe();
  }

  /** Everything up to an event that was committed then is in the targets. */
  wrote(committedAtMs: number): void {
    this.#lastEventMs = committedAtMs;
    this.#asOfMs = Math.max(this.#asOfMs ?? committedAtMs, committedAtMs);
  }

  wroteRecords(sync: string, outcomes: Outcomes): void {
    const known = this.#records.get(sync);
    if (known === undefined) this.#records.set(sync, { ...outcomes });
    else for (const name of outcomeNames) known[name] += outcomes[name];
  }

  keptPosition(): void {
    this.#positionMs = this.#clock.now();
  }

  /** @param long  nothing that passes by itself within seconds */
  failed(reason: string, nextTryMs: number, long: boolean): void {
    this.#observe();
    this.#forgetStream();
    this.#down = { reason, nextTryMs, long };
    this.#observe();
  }

  ended(reason: string | null): void {
    this.#forgetStream();
    this.#ended = true;
    this.#endReason = reason;
    this.#observe();
  }

  /** Another process follows the stream from now on, and tells of it. */
  away(reason: string): void {
    this.ended(reason);
    this.#isAway = true;
    this.rereads = [];
    this.#holes.clear();
  }

  /** It follows no more: this one does. */
  back(): void {
    this.#ended = false;
    this.#isAway = false;
    this.#observe();
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Something was not told: these syncs have to be read again. None: it comes again by itself. */
  hole(cause: HoleCause, syncs: readonly string[]): void {
    if (syncs.length === 0) this.#healed[cause]++;
    else this.#holes.add({ cause, syncs: new Set(syncs) });
  }

  /** A sync has been read again. */
  mended(sync: string): void {
    for (const hole of this.#holes) {
      if (!hole.syncs.delete(sync) || hole.syncs.size > 0) continue;
      this.#holes.delete(hole);
      this.#healed[hole.cause]++;
    }
  }

  /** Records that an event named without their values have been read. */
  readGaps(events: number): void {
    this.#healed.gap += events;
  }

  tell(): LiveStatus {
    this.#observe();
    const state = this.#stateNow();
    const transport = this.#transportState();
    const connected = this.#connected;
    const nextTryMs = this.#down?.nextTryMs ?? transport?.nextTryAtMs ?? null;
    return {
      stream: this.#unit,
      syncs: this.syncs,
      state,
      reason: this.#ended ? this.#endReason : connected ? null : (this.#down?.reason ?? transport?.reason ?? null),
      nextTryMs: connected || this.#ended || nextTryMs === null || nextTryMs <= this.#clock.now() ? null : nextTryMs,
      connected,
      sinceMs: this.#sinceMs,
      transport: this.#transport,
      lastHeardMs: transport?.lastHeardAtMs ?? this.#lastHeardMs,
      lastEventMs: this.#lastEventMs,
      lagMs: this.#lagMs,
      waiting: this.#backlog(),
      events: this.events,
      transactions: this.transactions,
      reconnects: this.#reconnects,
      records: Object.fromEntries([...this.#records].map(([sync, outcomes]) => [sync, { ...outcomes }])),
      splits: this.splits,
      positionMs: this.#positionMs,
      healed: { ...this.#healed },
      aside: { ...this.aside },
      rereads: [...this.rereads],
      holes: [...this.holes],
    };
  }

  /** Every state, and when it is it. */
  #stateNow(): LiveState {
    if (this.#ended) return 'stopped';
    if (this.paused) return 'paused';
    if (!this.#connected) {
      const isKnownAgainst = this.#down !== null || this.#interrupted || this.#transportState()?.reason != null;
      if (!isKnownAgainst) return 'connecting';
      const isLong = this.#down?.long === true || this.#clock.now() - this.#sinceMs >= POLLING_AFTER_MS;
      return isLong && this.#polls ? 'polling' : 'waiting';
    }
    return this.rereads.length > 0 || this.#isBehind ? 'catching up' : 'live';
  }

  /** Notices what has changed since somebody looked last. */
  #observe(): void {
    const state = this.#transportState();
    this.#transport = state?.transport ?? this.#transport;
    const connected = this.#heard && state?.connected !== false;
    if (connected !== this.#connected) {
      this.#connected = connected;
      this.#sinceMs = this.#clock.now();
    }
    if (connected && this.#isIdle) this.#asOfMs = this.#sourceNow();
  }

  get #isIdle(): boolean {
    return this.#caughtUp && this.#backlog() === 0;
  }

  get #isBehind(): boolean {
    return !this.#isIdle && (this.#lagMs === null || this.#lagMs > BEHIND_MS);
  }

  get #lagMs(): number | null {
    return this.#asOfMs === null ? null : Math.max(0, this.#sourceNow() - this.#asOfMs);
  }

  #transportState(): StreamState | null {
    return this.#stream?.state?.() ?? null;
  }

  #forgetStream(): void {
    this.#interrupted = true;
    this.#stream = null;
    this.#heard = false;
    this.#caughtUp = false;
    this.#backlog = () => 0;
  }
}
