import { createHash } from 'node:crypto';
import {
  BATCH_BYTES,
  batchesOf,
  fetchCommitted,
  KafkaClient,
  type KafkaMessage,
  type Outgoing,
  StateTopic,
  type TopicFacts,
  Units,
} from '@tidemark/connector-kafka/client';
import { type Change, type Checkpoints, type DatasetSchema, type Problem, RequestRefusedError } from '@tidemark/core';
import { kafkaAccess } from './kafka-access.ts';
import {
  Announcements,
  type Append,
  type Commit,
  type Found,
  foundOf,
  messageAt,
  type QueueFacts,
  type Queues,
  type Stretch,
  widened,
} from './queue.ts';

const FETCH = { waitMs: 100, bytes: 4_000_000 };
/** So many offsets before the end are looked through for the last message; then eight times as many. */
const LOOK_BACK = 32;
const NAME_MAX = 200;
/** The brokers take no request of more than 100 MB unless told otherwise. */
const MESSAGE_BYTES = 64 * 1024 * 1024;

/** A consumer as the state knows it. */
interface Consumer {
  readonly seq: number;
  readonly seenMs: number;
}

/**
 * Queues in Kafka: a topic of one partition for each, so that there is one order, whose offsets are the numbers of its messages: of
 * the message at an offset the one behind it, since numbers begin with 1. Between them lie markers of transactions, and what was given
 * up. Messages and the checkpoint of who appends are one transaction. Schemas and consumers are values of the state; consumers are
 * groups as well, so that Kafka's own tools show their lag.
 */
export class KafkaQueues extends Announcements implements Queues {
  readonly checkpoints: Checkpoints;
  readonly #client: KafkaClient;
  readonly #state: StateTopic;
  readonly #units: Units;
  readonly #prefix: string;
  /** By topic id, of its end: the number of the last message before it. */
  readonly #lasts = new Map<string, { readonly end: number; readonly seq: number }>();
  /** By topic id, what the last read has fetched beyond what it was asked for. */
  readonly #ahead = new Map<
    string,
    { readonly after: number; readonly messages: readonly KafkaMessage[]; readonly next: number }
  >();

  constructor(url: string, prefix: string, connection: string) {
    super();
    this.#prefix = prefix;
    this.#client = new KafkaClient(kafkaAccess(url, connection));
    this.#state = new StateTopic(this.#client, `${prefix}.state`);
    this.#units = new Units(this.#client, this.#state);
    this.checkpoints = this.#units.checkpoints;
  }

  get description(): string {
    return `${this.#client.description}/${this.#prefix}`;
  }

  async names(): Promise<readonly string[]> {
    // Says whether anybody answers, where there is nothing yet.
    if ((await this.#client.topic(this.#state.name)) === null) return [];
    const found = await this.#state.readAll(SCHEMA);
    return [...found.keys()].map((name) => name.slice(SCHEMA.length)).sort();
  }

  async facts(queue: string, signal?: AbortSignal): Promise<QueueFacts | null> {
    signal?.throwIfAborted();
    const schema = await this.#state.read(SCHEMA + queue);
    if (schema === null) return null;
    const topic = await this.#client.topic(this.#topicOf(queue));
    if (topic === null) return null;
    const { goneSeq, lastSeq } = await this.#bounds(topic);
    return { id: topic.id, schema: JSON.parse(schema) as DatasetSchema, lastSeq, goneSeq };
  }

  async prepare(queue: string, arriving: DatasetSchema): Promise<void> {
    const topic = this.#topicOf(queue);
    if ((await this.#client.topic(topic)) === null) {
      // Nothing goes but what everybody has acknowledged, and a record is never too large to come through.
      const configs = {
        'cleanup.policy': 'delete',
        'retention.ms': '-1',
        'retention.bytes': '-1',
        'max.message.bytes': String(MESSAGE_BYTES),
      };
      await this.#client.createTopic(topic, { partitions: 1, replicas: -1, configs });
    }
    const name = SCHEMA + queue;
    await this.#units.exclusively(name, async () => {
      const known = await this.#state.read(name);
      const text = JSON.stringify(widened(known === null ? null : (JSON.parse(known) as DatasetSchema), arriving, queue));
      return new Map(text === known ? [] : [[name, text]]);
    });
  }

  async append(appends: readonly Append[], commit: Commit, nowMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { unit, epoch, checkpoint } = commit;
    const filled = appends.filter(({ changes }) => changes.length > 0);
    const topics = await Promise.all(filled.map(({ queue }) => this.#existing(queue)));
    const last = new Map<TopicFacts, number>();
    await this.#units.transact(unit, epoch, async ({ send }) => {
      for (const [i, { changes }] of filled.entries()) {
        const topic = topics[i]!;
        const messages = changes.map((change) => messageOf(topic.name, change, nowMs));
        for (const batch of batchesOf(messages, BATCH_BYTES)) {
          const [sent] = await send(batch);
          if (sent !== undefined) last.set(topic, sent.offset);
        }
      }
      return checkpoint === null ? undefined : { checkpoint };
    });
    for (const [topic, offset] of last) await this.#client.visible(topic, { partition: 0, offset });
    this.announce();
  }

  async read(queue: string, stretch: Stretch, signal?: AbortSignal): Promise<Found> {
    const { after, until, limit } = stretch;
    const topic = await this.#existing(queue);
    const { messages } = await this.#readFrom(topic, after, until, limit, signal);
    const looked = messages.map(({ offset, key, value }) => {
      const raw = { key: textOfBytes(key), value: textOfBytes(value) };
      return messageAt(queue, offset + 1, raw, () => ({ ...(JSON.parse(raw.value ?? '') as object), key: raw.key }));
    });
    return foundOf(looked, stretch);
  }

  async oldestAfter(queue: string, after: number): Promise<number | null> {
    const topic = await this.#existing(queue);
    const { lastSeq } = await this.#bounds(topic);
    const { messages } = await this.#readFrom(topic, after, lastSeq, 1);
    return messages[0]?.timestampMs ?? null;
  }

  async lastBefore(queue: string, atMs: number): Promise<number | null> {
    const topic = await this.#existing(queue);
    const { goneSeq, lastSeq } = await this.#bounds(topic);
    const [at] = await this.#client.offsetsAt(topic, atMs);
    const before = Math.min(at ?? lastSeq, lastSeq);
    return before <= goneSeq ? null : before;
  }

  async consumer(queue: string, consumer: string): Promise<Consumer | null> {
    const text = await this.#state.read(consumerName(queue, consumer));
    return text === null ? null : (JSON.parse(text) as Consumer);
  }

  async idleConsumers(queue: string, sinceMs: number): Promise<{ consumer: string; waiting: number }[]> {
    const facts = await this.facts(queue);
    return [...(await this.#consumers(queue))]
      .filter(([, { seq, seenMs }]) => seenMs < sinceMs && seq < (facts?.lastSeq ?? 0))
      .map(([consumer, { seq }]) => ({ consumer, waiting: facts!.lastSeq - seq }))
      .sort((a, b) => (a.consumer < b.consumer ? -1 : 1));
  }

  async acknowledge(queue: string, consumer: string, seq: number, nowMs: number, keptSinceMs: number): Promise<void> {
    const name = consumerName(queue, consumer);
    await this.#units.exclusively(name, async () => new Map([[name, JSON.stringify({ seq, seenMs: nowMs } satisfies Consumer)]]));
    const topic = await this.#existing(queue);
    await this.#client.tellGroup(`${topic.name}.${topicPart(consumer)}`, topic, new Map([[0, seq]]));
    const acknowledged = Math.min(...[...(await this.#consumers(queue)).values()].map((each) => each.seq));
    const [kept] = keptSinceMs === Number.MAX_SAFE_INTEGER ? [null] : await this.#client.offsetsAt(topic, keptSinceMs);
    const bound = Math.min(acknowledged, kept ?? acknowledged);
    const { first } = await this.#client.bounds(topic);
    if (bound > first[0]!) await this.#client.deleteBefore(topic, bound);
  }

  howToForget(queue: string, consumer: string): string {
    return `send a message without a value to ${this.#state.name}, with the key ${consumerName(queue, consumer)}`;
  }

  /** What of the cluster would tell others what is in the messages. */
  async warnings(place: string): Promise<readonly Problem[]> {
    const { tls, brokers } = this.#client.access;
    if (tls !== null || brokers.every((each) => /^(localhost|127\.0\.0\.1|\[::1\]):/.test(each))) return [];
    const hint = 'Use kafkas:// where the brokers speak TLS.';
    return [{ place, severity: 'warning', message: 'records and password go to Kafka in the clear', hint }];
  }

  async close(): Promise<void> {
    await this.#units[Symbol.asyncDispose]();
    await this.#client[Symbol.asyncDispose]();
  }

  #topicOf(queue: string): string {
    return `${this.#prefix}.queue.${topicPart(queue)}`;
  }

  async #existing(queue: string): Promise<TopicFacts> {
    const topic = await this.#client.topic(this.#topicOf(queue));
    if (topic === null) throw new RequestRefusedError(`The queue ${queue} is not there any more`, { hint: 'Run again.' });
    return topic;
  }

  async #consumers(queue: string): Promise<ReadonlyMap<string, Consumer>> {
    const all = await this.#state.readAll(consumerName(queue));
    return new Map([...all].map(([name, text]) => [consumerOf(name), JSON.parse(text) as Consumer]));
  }

  /** Of the messages that are kept; markers behind the last one do not count. */
  async #bounds(topic: TopicFacts): Promise<{ goneSeq: number; lastSeq: number }> {
    const { first, end } = await this.#client.bounds(topic);
    const [goneSeq, behind] = [first[0]!, end[0]!];
    const known = this.#lasts.get(topic.id);
    if (known?.end === behind) return { goneSeq, lastSeq: Math.max(known.seq, goneSeq) };
    let seq = goneSeq;
    for (let back = LOOK_BACK; ; back *= 8) {
      const from = Math.max(goneSeq, behind - back);
      const { messages } = await this.#readFrom(topic, from, behind, Number.POSITIVE_INFINITY);
      if (messages.length > 0) seq = messages.at(-1)!.offset + 1;
      if (messages.length > 0 || from === goneSeq) break;
    }
    this.#lasts.set(topic.id, { end: behind, seq });
    return { goneSeq, lastSeq: seq };
  }

  /** Messages behind `after`, up to and with `until`. What has been thrown away meanwhile is left out. */
  async #readFrom(topic: TopicFacts, after: number, until: number, limit: number, signal?: AbortSignal) {
    const ahead = this.#ahead.get(topic.id);
    const found: KafkaMessage[] = ahead?.after === after ? [...ahead.messages] : [];
    let next = ahead?.after === after ? ahead.next : after;
    while (found.length < limit && next < until) {
      signal?.throwIfAborted();
      const fetched = await fetchCommitted(this.#client, topic, new Map([[0, next]]), FETCH);
      found.push(...fetched.messages);
      const { first } = await this.#client.bounds(topic);
      next = Math.max(fetched.next.get(0)!, first[0]!);
    }
    const messages = found.filter(({ offset }) => offset < until).slice(0, limit);
    const rest = found.slice(messages.length);
    const last = messages.at(-1);
    if (last !== undefined && rest.length > 0) this.#ahead.set(topic.id, { after: last.offset + 1, messages: rest, next });
    else this.#ahead.delete(topic.id);
    return { messages };
  }
}

const SCHEMA = 'queue:';

const consumerName = (queue: string, consumer?: string) =>
  consumer === undefined ? `consumer:${JSON.stringify([queue]).slice(0, -1)},` : `consumer:${JSON.stringify([queue, consumer])}`;
const consumerOf = (name: string) => (JSON.parse(name.slice('consumer:'.length)) as [string, string])[1];

/** A name as a part of one that Kafka takes: what it does not take is written as its bytes. */
function topicPart(name: string): string {
  const part = name.replace(/[^\w-]/g, (character) => `.${Buffer.from(character).toString('hex')}`);
  return part.length <= NAME_MAX ? part : createHash('sha256').update(name).digest('hex');
}

function messageOf(topic: string, { op, key, row, stampMs }: Change, nowMs: number): Outgoing {
  return { topic, key, value: JSON.stringify({ op, row, stampMs }), timestampMs: nowMs };
}

const textOfBytes = (bytes: Buffer | null) => (bytes === null ? null : String(bytes));
