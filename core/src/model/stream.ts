import type { Change, WriteResult } from './change.ts';
import type { Source, Target } from './connector.ts';
import type { Row } from './value.ts';

/** What a live run listens to: one channel of one system, in the order in which its transactions were committed. */
export interface EventStream extends AsyncDisposable {
  /** Which system this is, e.g. an org id: a position of another origin is refused. */
  readonly origin: string;
  /**
   * Deliveries as they come, until the signal aborts. Reconnects by itself after what passes, and goes on behind the last event
   * that it delivered. The first delivery comes as soon as the position is known, with or without events.
   * At most `grant`ed events are on their way: none before the first grant.
   * @throws {CheckpointExpiredError} the position is older than what the system retains, or none of its own.
   * @throws {RequestRefusedError} no right to subscribe, no such channel.
   * @throws {RateLimitedError} the system delivers no more events today, or takes no more requests; deltas go on.
   * @throws {NotConnectedError} sessions are refused one after the other.
   */
  deliveries(signal: AbortSignal): AsyncIterable<Delivery>;
  /** So many events more may come. Given as the target takes events, not as it commits them: a transaction is never starved. */
  grant(events: number): void;
  /** How the connection is doing, for `status`. */
  state?(): StreamState;
  /** About what the system's clock says, by which its events are dated; ours unless told. */
  nowMs?(): number;
  /**
   * What `Connection.openEvents` needs to read raw events of this schema when the system is not there. Opaque.
   * @param dataset  of an event of that schema
   */
  keepSchema?(schemaId: string, dataset: string, signal: AbortSignal): Promise<string>;
}

export interface StreamState {
  /** `pubsub`, `cometd`. */
  readonly transport: string;
  readonly connected: boolean;
  readonly reconnects: number;
  /** When anything came last, keepalives among it, epoch ms by our clock. */
  readonly lastHeardAtMs: number | null;
  /** Why it is not connected. */
  readonly reason: string | null;
  /** When it connects again, epoch ms by our clock; null while it is connected, or connecting. */
  readonly nextTryAtMs: number | null;
}

export interface StreamSpec {
  /** As the system spells it; null for the connector's own choice. */
  readonly channel: string | null;
  /** Datasets (objects) that somebody listens for; events of others move the position and are not delivered. */
  readonly datasets: readonly string[];
  /** Where to go on, as given by a delivery; null for what is published from now on, or as `start` says. */
  readonly position: string | null;
  /** Where to begin without a position; `latest` unless told otherwise. */
  readonly start?: StreamStart;
  /** Events come with what they were made of (`StreamEvent.raw`), for whoever keeps it. */
  readonly raw?: boolean;
}

/** `latest`: what is published from now on. `earliest`: all that the system still retains. */
export type StreamStart = 'latest' | 'earliest';

export interface Delivery {
  readonly events: readonly StreamEvent[];
  /** Where to go on once these events are kept; also moved by a keepalive without events. Opaque. */
  readonly position: string;
  /** The system has nothing more at this moment: what is delivered so far is whole. */
  readonly caughtUp: boolean;
  /** The first one after the connection was lost and made again. */
  readonly reset: boolean;
  /**
   * Nothing has come, and from that it is assumed that the system listens. What it begins with may be later than this: what was
   * committed up to the first delivery that is not assumed may never be told.
   */
  readonly assumed?: boolean;
}

/**
 * - `create`, `undelete`: every field that the event knows.
 * - `update`: the fields that changed and no other; null means cleared.
 * - `delete`: keys only.
 * - `gap`: these records changed in some way that is not told; read them.
 * - `overflow`: any record of the dataset may have changed; read it whole.
 * - `wildcard`: all records whose keys begin so have changed, and no stamp tells of it; read the dataset whole.
 */
export type StreamOp = 'create' | 'update' | 'delete' | 'undelete' | 'gap' | 'overflow' | 'wildcard';

export interface StreamEvent {
  /** Where to go on once this event and all before it are kept. */
  readonly position: string;
  readonly dataset: string;
  readonly op: StreamOp;
  /** Records that it is about, in the source's key form; of a `wildcard` beginnings of keys. */
  readonly keys: readonly string[];
  /**
   * Values by field name, in canonical form, without the key, which `keys` tells; null for `delete`, `gap`, `overflow` and `wildcard`, and
   * for a published event whose content cannot be read: `unread` is that.
   */
  readonly row: Row | null;
  readonly unread?: UnreadContent;
  /**
   * Fields that changed, or came to be, and whose value is not in `row` (a diff; a name made of its parts): who needs one of them
   * has to read the record.
   */
  readonly untold: readonly string[];
  /** Names the transaction; consecutive events of one transaction belong together (P6). */
  readonly transaction: string;
  /** When it was committed, epoch ms by the system's clock. */
  readonly committedAtMs: number;
  /**
   * The modification stamp that the record itself then has, epoch ms; null when the event does not tell.
   * Never newer than the record's own, so that what is read from the system later is never taken for older.
   */
  readonly stampMs: number | null;
  /** Who wrote, as far as told: `…;client=x`. */
  readonly writer: string;
  /** Where the spec asks for it. */
  readonly raw?: RawEvent;
}

/** An event as it came, before anything in it was read. */
export interface RawEvent {
  /** Without the name of the transport that a position has. */
  readonly replayId: string;
  /** Tells it from another event of the same replay id. */
  readonly id: string;
  readonly schemaId: string;
  /** How to read the payload: the connector's own word. */
  readonly format: string;
  readonly payload: Uint8Array;
}

/** Reads raw events that were kept, and never asks the system. The facts of its source are as the system told them last. */
export interface EventReader extends Pick<Source, 'schema' | 'stampField' | 'filterFields' | 'derivedFields' | 'eventsOnly'> {
  /** Whose events it reads, as the stream calls it. */
  readonly dataset: string;
  /**
   * The event as the stream delivered it, by what is known of its fields now. Null for one of another dataset.
   * @throws not even the record can be told
   */
  read(raw: RawEvent, position: string): Promise<StreamEvent | null> | StreamEvent | null;
}

/** What somebody published and nobody can read, as it came: enough to find out what it was meant to be. */
export interface UnreadContent {
  readonly reason: string;
  readonly raw: Row;
}

/** Sets the fields that its row holds, and no other, in a row that is there: it never creates one. */
export interface Update {
  readonly op: 'update';
  readonly key: string;
  readonly row: Row;
  /** `NO_STAMP` when the event does not tell: it is then applied whatever the row's stamp, which stays. */
  readonly stampMs: number;
}

export type StreamChange = Change | Update;

/** `absent`: an update of a row that is not there, that is marked as deleted, or that no sync has written. */
export type StreamWriteResult = WriteResult | { readonly status: 'absent' };

/** Several targets of one connection written in one transaction, with the stream's own checkpoint (P1, P6, P11). */
export interface StreamWriter extends AsyncDisposable {
  /** Opens a transaction. One at a time. */
  begin(signal: AbortSignal): Promise<StreamTransaction>;
  /** A later transaction is going to apply these very changes to this target: what can be done for that may be done now. */
  expect?(target: Target, changes: readonly StreamChange[]): void;
}

export interface StreamTransaction {
  /**
   * Applies changes of distinct keys to one of the targets. A record that is refused is named in its result and leaves the
   * others alone; nothing is visible before `commit`.
   */
  apply(target: Target, changes: readonly StreamChange[]): Promise<readonly StreamWriteResult[]>;
  /** Under way when this returns. @throws {OwnershipLostError} the epoch is not the latest; nothing was written. */
  commit(unit: string, epoch: number, checkpoint: string): Promise<void>;
  rollback(): Promise<void>;
}
