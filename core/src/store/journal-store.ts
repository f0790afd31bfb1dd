/** One event as it came, before anything was read in it but where it belongs. */
export interface JournalEvent {
  /** Of its stream, the transport's own; a redelivered event has the same. */
  readonly replayId: string;
  /** Its UUID, or what else tells it from another of the same replay id. */
  readonly id: string;
  readonly schemaId: string;
  /** Empty when not even that could be read. */
  readonly dataset: string;
  readonly transaction: string;
  /** By the source's clock, epoch ms; 0 when it could not be read. */
  readonly committedAtMs: number;
  /** By ours. */
  readonly receivedAtMs: number;
  /** How to read the payload; the connector's own word. */
  readonly format: string;
  readonly payload: Uint8Array;
}

/** `seq` is the order in which events of one stream came. */
export interface KeptEvent extends JournalEvent {
  readonly seq: number;
}

/** What is kept of one dataset of a stream, and since when nothing is missing in it. */
export interface JournalHead {
  readonly stream: string;
  readonly dataset: string;
  /** Names the stretch without a hole that is being written. The stream's own checkpoint names it too: where they differ there is a hole. */
  readonly stretch: string;
  /** Its first event comes here or later. */
  readonly sinceSeq: number;
  readonly retentionMs: number;
}

export interface JournalStats extends JournalHead {
  readonly events: number;
  readonly bytes: number;
  /** When the oldest and the newest were committed at the source; null when none is kept. */
  readonly firstAtMs: number | null;
  readonly lastAtMs: number | null;
}

/** Raw events, kept before they are applied, so that they can be applied once more without their source. Every method is atomic. */
export interface JournalStore {
  /** Adds those that are not there yet, in their order. Durable when it resolves. */
  append(stream: string, events: readonly JournalEvent[]): Promise<void>;
  /** What the connector needs to read events of this schema; the newest word counts. */
  putSchema(stream: string, id: string, schema: string): Promise<void>;
  schemas(stream: string): Promise<ReadonlyMap<string, string>>;
  /** In order, after `afterSeq`; those whose dataset could not be read come with every dataset. */
  read(filter: { stream: string; dataset: string; afterSeq: number; limit: number }): Promise<readonly KeptEvent[]>;
  /** Where an event stands; null when it is not kept. */
  find(stream: string, replayId: string): Promise<number | null>;
  /** The newest of all streams; 0 when there is none. */
  lastSeq(): Promise<number>;
  heads(): Promise<readonly JournalHead[]>;
  /** Begins a stretch, or changes its retention. */
  putHead(head: JournalHead): Promise<void>;
  stats(): Promise<readonly JournalStats[]>;
  /** Removes the oldest events received before, so many at most; answers how many went. */
  trim(filter: { stream: string; dataset: string; receivedBeforeMs: number; limit: number }): Promise<number>;
}
