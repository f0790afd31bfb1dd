import {
  type Batch,
  type Change,
  type Clock,
  type DatasetSchema,
  RequestRefusedError,
  type Source,
  type SourceSpec,
  type UnreadRecord,
} from '@tidemark/core';
import { type Bounds, fetchCommitted, type KafkaClient, type KafkaMessage, type TopicFacts } from './client/index.ts';
import type { KafkaFrom } from './config.ts';
import { discoverFields } from './discover.ts';
import { needOwnGroup } from './group.ts';
import { decodePosition, encodePosition, type Position } from './position.ts';
import { messageReader } from './read-message.ts';

/** Of one fetch; a single message may be larger. */
const BYTES = 4_000_000;
/** The broker answers a look for something new after so long, or when it comes. */
const WAIT_MS = 500;
/** As often it is looked for new partitions. */
const LOOK_MS = 5000;

/** @throws {RequestRefusedError} there is no such topic, or nothing tells its fields */
export async function openSource(client: KafkaClient, spec: SourceSpec<KafkaFrom>, clock: Clock): Promise<Source> {
  const { topic: name, key, group } = spec.from;
  if (spec.where !== undefined) {
    throw new RequestRefusedError(`The topic ${name} takes no where:`, { hint: 'Use steps: with a filter.' });
  }
  const topic = await client.topic(name);
  if (topic === null) {
    const others = (await client.topics()).filter((each) => !each.startsWith('_')).slice(0, 20);
    throw new RequestRefusedError(`There is no topic ${name} at ${client.description}`, {
      hint: others.length === 0 ? 'It has none yet.' : `It has: ${others.join(', ')}.`,
    });
  }
  const all = await discoverFields(client, topic, spec.from);
  const unknown = spec.fields?.find((field) => !all.some((each) => each.name === field));
  if (unknown !== undefined) {
    throw new RequestRefusedError(`No message of ${name} that was looked at has a field ${unknown}`, {
      hint: `They have: ${all.map((each) => each.name).join(', ')}. What only some have is declared in from: as fields:.`,
    });
  }
  const fields = all.filter(
    (each) => key.includes(each.name) || (!spec.exclude.includes(each.name) && (spec.fields?.includes(each.name) ?? true)),
  );
  if (group !== undefined) await needOwnGroup(client, group);
  return new KafkaSource(client, spec, topic, { name, key, fields }, clock);
}

/**
 * Reads committed messages of all partitions from positions of its own, which are kept with the target's data (P1). What it cannot read
 * it hands over as such (P2), and so it does what was gone before it was read: nothing is skipped without a word.
 */
class KafkaSource implements Source {
  readonly changesOnly = true;
  readonly schema: DatasetSchema;
  readonly origin: string;
  readonly #client: KafkaClient;
  /** Requests that wait for something to come keep those that come after them on the same connection waiting. */
  readonly #waiting: KafkaClient;
  readonly #spec: SourceSpec<KafkaFrom>;
  readonly #clock: Clock;
  readonly #read: ReturnType<typeof messageReader>;
  #topic: TopicFacts;

  constructor(client: KafkaClient, spec: SourceSpec<KafkaFrom>, topic: TopicFacts, schema: DatasetSchema, clock: Clock) {
    this.schema = schema;
    this.origin = `kafka:${topic.id}`;
    this.#client = client;
    this.#waiting = client.sibling();
    this.#spec = spec;
    this.#clock = clock;
    this.#read = messageReader(topic.name, schema);
    this.#topic = topic;
  }

  /** Partitions that nobody else reads do nothing: there are more parts than partitions. */
  get warnings(): NonNullable<Source['warnings']> {
    const { part } = this.#spec;
    if (part === undefined || this.#own().length > 0) return [];
    const { name, leaders } = this.#topic;
    return [
      {
        message: `part ${part.index + 1} of ${part.of} reads nothing: ${name} has ${leaders.length} partitions`,
        hint: `write parts: ${leaders.length}, or give the topic more partitions`,
      },
    ];
  }

  /** Roughly: markers of transactions count as well. */
  async estimate(): Promise<number> {
    const { first, end } = await this.#client.bounds(await this.#now());
    return this.#own().reduce((sum, i) => sum + end[i]! - first[i]!, 0);
  }

  /** Before the oldest message that is kept, or that came at the time with which the first run begins. */
  async mark(): Promise<string> {
    const topic = await this.#now();
    const { first, end } = await this.#client.bounds(topic);
    const { startAtMs } = this.#spec;
    const at = startAtMs === null ? [] : await this.#client.offsetsAt(topic, startAtMs);
    const next = new Map(this.#own().map((i) => [i, startAtMs === null ? first[i]! : Math.min(at[i] ?? end[i]!, end[i]!)]));
    return encodePosition({ topic: topic.id, next, isStart: true });
  }

  // biome-ignore lint/correctness/useYield: there is nothing that could be read
  async *readFull(): AsyncGenerator<never> {
    throw new RequestRefusedError(`The topic ${this.schema.name} holds changes, and cannot tell which records there are`);
  }

  async *readDelta(from: string, signal: AbortSignal): AsyncGenerator<Batch> {
    const position = decodePosition(from);
    const topic = await this.#now();
    const bounds = await this.#client.bounds(topic);
    const { next, gone } = this.#start(position, topic, bounds);
    const { group } = this.#spec.from;
    if (group !== undefined) await this.#client.tellGroup(group, topic, next);
    const encoded = () => encodePosition({ topic: topic.id, next, isStart: false });
    if (gone.length > 0) yield { changes: [], unread: gone, checkpoint: encoded() };
    // Whoever has begun is told of what goes from then on, though there was nothing to read yet.
    let told = position.isStart ? from : encoded();
    for (;;) {
      const behind = new Map([...next].filter(([partition, offset]) => offset < bounds.end[partition]!));
      if (behind.size === 0) break;
      signal.throwIfAborted();
      const fetched = await fetchCommitted(this.#client, topic, behind, { waitMs: WAIT_MS, bytes: BYTES });
      for (const [partition, offset] of fetched.next) next.set(partition, offset);
      const { changes, unread } = this.#changesOf(fetched.messages);
      // Deleted while it was read.
      if (fetched.outOfRange.length > 0) unread.push(...this.#passGone(next, await this.#client.bounds(topic)));
      if (changes.length === 0 && unread.length === 0) continue;
      told = encoded();
      yield { changes, unread, checkpoint: told };
    }
    // Nothing but markers, or what was aborted: kept as well, so that it is not taken for lost when it goes.
    if (encoded() !== told) yield { changes: [], checkpoint: encoded() };
  }

  async waitForChange(from: string, signal: AbortSignal): Promise<void> {
    const position = decodePosition(from);
    let topic = await this.#now();
    let lookedAtMs = this.#clock.now();
    const { next, gone } = this.#start(position, topic, await this.#client.bounds(topic));
    if (gone.length > 0) return;
    while (!signal.aborted) {
      if (this.#clock.now() - lookedAtMs > LOOK_MS) {
        lookedAtMs = this.#clock.now();
        topic = await this.#now();
        for (const partition of this.#own()) if (!next.has(partition)) next.set(partition, 0);
      }
      if (next.size === 0) {
        await this.#clock.sleep(LOOK_MS, signal).catch(() => {});
        continue;
      }
      const fetched = await abortable(fetchCommitted(this.#waiting, topic, next, { waitMs: WAIT_MS, bytes: 1 }), signal);
      if (fetched.messages.length > 0 || fetched.outOfRange.length > 0) return;
      for (const [partition, offset] of fetched.next) next.set(partition, offset);
    }
  }

  async describeCheckpoint(checkpoint: string): Promise<{ readonly [fact: string]: string }> {
    const { next } = decodePosition(checkpoint);
    const { first, end } = await this.#client.bounds(this.#topic);
    const depth = this.#own().reduce((sum, i) => sum + Math.max(0, end[i]! - Math.max(next.get(i) ?? 0, first[i]!)), 0);
    return { topic: this.schema.name, depth: String(depth) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#waiting[Symbol.asyncDispose]();
  }

  /** The partitions that it reads, as far as it is known which there are. A record is in one of them, and so in one part. */
  #own(): readonly number[] {
    const { part } = this.#spec;
    return [...this.#topic.leaders.keys()].filter((partition) => part === undefined || partition % part.of === part.index);
  }

  async #now(): Promise<TopicFacts> {
    const topic = await this.#client.topic(this.schema.name);
    if (topic === null) throw new RequestRefusedError(`The topic ${this.schema.name} is not there any more`);
    this.#topic = topic;
    return topic;
  }

  /** Where to go on, and what is gone of that. */
  #start(position: Position, topic: TopicFacts, bounds: Bounds): { next: Map<number, number>; gone: UnreadRecord[] } {
    const { name } = this.schema;
    if (position.topic !== topic.id) {
      throw new RequestRefusedError(`The topic ${name} is not the one that was read before: it was made anew`, {
        hint: 'If that is meant, reset the sync: it then begins with the oldest message that is kept.',
      });
    }
    const next = new Map<number, number>();
    for (const partition of this.#own()) {
      const from = position.next.get(partition) ?? 0;
      const [oldest, last] = [bounds.first[partition]!, bounds.end[partition]!];
      if (from > last) {
        throw new RequestRefusedError(`Partition ${partition} of ${name} ends at ${last}, and was read up to ${from} before`, {
          hint: 'Was the cluster restored, or did it lose messages? Reset the sync to read what is there from the beginning.',
        });
      }
      next.set(partition, position.isStart ? Math.max(from, oldest) : from);
    }
    return { next, gone: this.#passGone(next, bounds) };
  }

  /** What was deleted before it was read: told, and gone past. */
  #passGone(next: Map<number, number>, { first }: Bounds): UnreadRecord[] {
    const { name } = this.schema;
    return [...next].flatMap(([partition, from]) => {
      const oldest = first[partition]!;
      if (from >= oldest) return [];
      next.set(partition, oldest);
      const reason = `Messages ${from} to ${oldest - 1} of partition ${partition} of ${name} were deleted before they were read: its retention is shorter than this sync was away`;
      const raw = { topic: name, partition, from, to: oldest - 1 };
      return [{ key: `${name}/${partition}/${from}-${oldest - 1}`, reason, raw }];
    });
  }

  #changesOf(messages: readonly KafkaMessage[]): { changes: Change[]; unread: UnreadRecord[] } {
    const changes: Change[] = [];
    const unread: UnreadRecord[] = [];
    for (const message of messages) {
      const read = this.#read(message);
      if ('change' in read) changes.push(read.change);
      else unread.push(read.unread);
    }
    return { changes, unread };
  }
}

/** What is given up goes on unheard. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
