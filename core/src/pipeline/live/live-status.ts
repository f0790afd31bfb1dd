/** How a stream is doing, for `status`, the metrics and the log. Times are epoch ms. */
export interface LiveStatus {
  /** Names the unit of work: source connection, channel, target connection. */
  readonly stream: string;
  readonly syncs: readonly string[];
  readonly state: 'connecting' | 'catching up' | 'live' | 'waiting' | 'stopped';
  /** Why it waits; null when it does not. */
  readonly reason: string | null;
  readonly connectedSinceMs: number | null;
  /** When the last event was committed at the source, by the source's clock. */
  readonly lastEventMs: number | null;
  /** From its commit at the source to its commit here, by our clock. */
  readonly lagMs: number | null;
  /** Events delivered and not yet written. */
  readonly waiting: number;
  readonly events: number;
  readonly transactions: number;
  readonly reconnects: number;
  /** Transactions that became visible in more than one step (P6). */
  readonly splits: number;
  /** Holes mended, by what made them. */
  readonly healed: { readonly lost: number; readonly gap: number; readonly overflow: number };
  /** Syncs with a reread still to come. */
  readonly rereads: readonly string[];
}

export type MutableLiveStatus = { -readonly [Name in keyof LiveStatus]: LiveStatus[Name] } & {
  healed: { lost: number; gap: number; overflow: number };
};

export function newLiveStatus(stream: string, syncs: readonly string[]): MutableLiveStatus {
  return {
    stream,
    syncs,
    state: 'connecting',
    reason: null,
    connectedSinceMs: null,
    lastEventMs: null,
    lagMs: null,
    waiting: 0,
    events: 0,
    transactions: 0,
    reconnects: 0,
    splits: 0,
    healed: { lost: 0, gap: 0, overflow: 0 },
    rereads: [],
  };
}
