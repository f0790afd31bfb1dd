import { createHash } from 'node:crypto';
import {
  type Change,
  type Checkpoints,
  type DatasetSchema,
  type FieldSchema,
  newRow,
  RequestRefusedError,
  type Row,
  type SourcePart,
  type UnreadRecord,
} from '@tidemark/core';

/** What stands of a queue. */
export interface QueueFacts {
  /** Of this queue since it was made: a queue of the same name that was made anew is another one. */
  readonly id: string;
  readonly schema: DatasetSchema;
  readonly lastSeq: number;
  /** Everything up to this has been put away. */
  readonly goneSeq: number;
}

/** What lies at a place of the queue: a change, or what nobody of us has put there. */
export type Message = { readonly seq: number } & ({ readonly change: Change } | { readonly unread: UnreadRecord });

export interface Stretch {
  readonly after: number;
  readonly until: number;
  /** So many are looked at. */
  readonly limit: number;
  readonly part?: SourcePart | undefined;
}

export interface Found {
  readonly messages: readonly Message[];
  /** There is no other one up to here. */
  readonly upTo: number;
}

/** Appended to one queue. */
export interface Append {
  readonly queue: string;
  readonly changes: readonly Change[];
}

export interface Commit {
  readonly unit: string;
  readonly epoch: number;
  /** Null leaves the last one. */
  readonly checkpoint: string | null;
}

/** What is done with queues, wherever they are kept. Times come from the caller. */
export interface Queues {
  /** Of whoever appends, kept with what he appends. */
  readonly checkpoints: Checkpoints;
  /** Where they are, for messages; no password. */
  readonly description: string;
  /** Something has been appended in this process: its readers need not wait until they look again. */
  announce(): void;
  /** Resolves when something is appended in this process, or the signal aborts. */
  announced(signal: AbortSignal): Promise<void>;
  names(): Promise<readonly string[]>;
  facts(queue: string, signal?: AbortSignal): Promise<QueueFacts | null>;
  /** Makes the queue, or has it hold what else arrives from now on. */
  prepare(queue: string, arriving: DatasetSchema): Promise<void>;
  /** Appends and keeps the checkpoint of who appends, or does neither (P1, P11). */
  append(appends: readonly Append[], commit: Commit, nowMs: number, signal?: AbortSignal): Promise<void>;
  /** Messages after `after`, up to and with `until`, in order: of this part only, where one is named. */
  read(queue: string, stretch: Stretch, signal?: AbortSignal): Promise<Found>;
  /** When the oldest message after `after` came; null when there is none. */
  oldestAfter(queue: string, after: number): Promise<number | null>;
  /** The last message that came before this instant; null when there is none that is kept. */
  lastBefore(queue: string, atMs: number): Promise<number | null>;
  /** What this consumer said last, and when. */
  consumer(queue: string, consumer: string): Promise<{ readonly seq: number; readonly seenMs: number } | null>;
  /** Those who have not read since, though messages wait for them, and how many. */
  idleConsumers(queue: string, sinceMs: number): Promise<readonly { readonly consumer: string; readonly waiting: number }[]>;
  /**
   * This consumer has applied everything up to `seq` for good. What all of them have, and what came before `keptSinceMs`, is put
   * away: a message that nobody has acknowledged stays, however old.
   */
  acknowledge(queue: string, consumer: string, seq: number, nowMs: number, keptSinceMs: number): Promise<void>;
  /** What somebody does by hand so that nothing is kept for a consumer that is gone for good. */
  howToForget(queue: string, consumer: string): string;
  close(): Promise<void>;
}

/** Tells readers of this process what its writers do. */
export class Announcements {
  readonly #listening = new Set<() => void>();

  announce(): void {
    for (const listener of [...this.#listening]) listener();
  }

  announced(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#listening.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.#listening.add(done);
      signal.addEventListener('abort', done);
    });
  }
}

/** Keys are spread over so many slots, so that readers can share a queue without two of them having one key. */
const SLOTS = 256;

export function slotOf(key: string): number {
  return createHash('sha1').update(key).digest()[0]! % SLOTS;
}

/** Those of a part among messages that were looked at, where the store has no index of slots. What has no key is of any one part. */
export function foundOf(looked: readonly Message[], { until, limit, part }: Stretch): Found {
  const isOf = (message: Message) =>
    part === undefined || ('change' in message ? slotOf(message.change.key) : message.seq) % part.of === part.index;
  return { messages: looked.filter(isOf), upTo: looked.length < limit ? until : looked.at(-1)!.seq };
}

/** What a queue holds once this arrives too. Messages that came before a field lack it, and so it may be null. */
export function widened(known: DatasetSchema | null, arriving: DatasetSchema, queue: string): DatasetSchema {
  if (known !== null && known.key.join('\n') !== arriving.key.join('\n')) {
    throw new RequestRefusedError(
      `The queue ${queue} holds records by ${known.key.join(', ')}, and these come by ${arriving.key.join(', ')}`,
      { hint: 'Map the key to the same name, or use a queue of its own.' },
    );
  }
  const nullable = (field: FieldSchema) => ({ ...field, nullable: !arriving.key.includes(field.name) });
  const now = new Map(arriving.fields.map((field) => [field.name, nullable(field)]));
  const before = known?.fields ?? [];
  const old = new Set(before.map(({ name }) => name));
  const both = (field: FieldSchema) => (now.has(field.name) ? covering(field, now.get(field.name)!) : field);
  return {
    name: queue,
    key: arriving.key,
    fields: [...before.map(both), ...[...now.values()].filter(({ name }) => !old.has(name))],
  };
}

/** What holds the values of either: with several syncs that fill a queue, its fields are the same whichever of them comes last. */
function covering(known: FieldSchema, arriving: FieldSchema): FieldSchema {
  if (known.type !== arriving.type) return arriving;
  const { length: _, precision: __, scale: ___, ...rest } = { ...known, ...arriving };
  const largest = (name: 'length' | 'precision' | 'scale') => {
    const [one, other] = [known[name], arriving[name]];
    return one === undefined || other === undefined ? {} : { [name]: Math.max(one, other) };
  };
  // Digits before the point have to fit as well: where the scales differ, the digits in all say nothing of them.
  const digits = known.scale === arriving.scale ? { ...largest('precision'), ...largest('scale') } : {};
  return { ...rest, ...largest('length'), ...digits };
}

/** Reads a message. Of one that is none of ours it tells where it lies and what it holds: it stops no other (P2). */
export function messageAt(queue: string, seq: number, raw: Row, read: () => WrittenChange): Message {
  try {
    const { op, key, row, stampMs } = read();
    const isRow = typeof row === 'object' && (row !== null || op === 'delete') && !Array.isArray(row);
    if ((op === 'upsert' || op === 'delete') && typeof key === 'string' && isRow && Number.isFinite(stampMs)) {
      return { seq, change: { op, key, row: row === null ? null : plainRow(row as Row), stampMs: stampMs as number } };
    }
  } catch {
    // Said below.
  }
  const reason = `Message ${seq} of the queue ${queue} is none that a sync has put there`;
  return { seq, unread: { key: `${queue}/${seq}`, reason, raw } };
}

/** A change as it lies there, for all that is known. */
type WrittenChange = { readonly [Name in 'op' | 'key' | 'row' | 'stampMs']?: unknown };

function plainRow(parsed: Row): Row {
  const row = newRow();
  for (const [name, value] of Object.entries(parsed)) row[name] = value;
  return row;
}
