import { createHash } from 'node:crypto';
import type { KafkaClient, TopicFacts } from './client.ts';
import { fetchCommitted } from './fetch.ts';

/** So that a producer that dies with a transaction open keeps few others waiting. */
const PARTITIONS = 16;
const BYTES = 4_000_000;

interface Partition {
  /** Everything before it is in `values`. */
  next: number;
  readonly values: Map<string, string>;
  /** Reads one after the other. */
  reading: Promise<void>;
}

/**
 * Small values by name, kept in a compacted topic: what has to be committed together with messages, and can be read again. A value is
 * written by a transaction of whoever owns it (`Units`).
 */
export class StateTopic {
  readonly name: string;
  readonly #client: KafkaClient;
  readonly #partitions = new Map<number, Partition>();
  #topic: TopicFacts | null = null;

  constructor(client: KafkaClient, name: string) {
    this.name = name;
    this.#client = client;
  }

  /** Made where it is not there: for those who write. */
  async facts(): Promise<TopicFacts> {
    const configs = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.1', 'segment.ms': '86400000' };
    this.#topic =
      (await this.#existing()) ?? (await this.#client.createTopic(this.name, { partitions: PARTITIONS, replicas: -1, configs }));
    return this.#topic;
  }

  partitionOf(name: string, { leaders }: TopicFacts): number {
    return createHash('sha1').update(name).digest().readUInt32BE(0) % leaders.length;
  }

  /** As it was committed last. */
  async read(name: string): Promise<string | null> {
    const topic = await this.#existing();
    if (topic === null) return null;
    const partition = await this.#caughtUp(this.partitionOf(name, topic), topic);
    return partition.values.get(name) ?? null;
  }

  /** All values whose names begin so. */
  async readAll(prefix: string): Promise<ReadonlyMap<string, string>> {
    const topic = await this.#existing();
    if (topic === null) return new Map();
    const all = await Promise.all(topic.leaders.map((_, partition) => this.#caughtUp(partition, topic)));
    return new Map(all.flatMap(({ values }) => [...values].filter(([name]) => name.startsWith(prefix))));
  }

  async #caughtUp(number: number, topic: TopicFacts): Promise<Partition> {
    const partition = this.#partitions.get(number) ?? { next: 0, values: new Map(), reading: Promise.resolve() };
    this.#partitions.set(number, partition);
    const reading = partition.reading.catch(() => {}).then(() => this.#readOn(number, partition, topic));
    partition.reading = reading;
    await reading;
    return partition;
  }

  async #readOn(number: number, partition: Partition, topic: TopicFacts): Promise<void> {
    const { first, end } = await this.#client.bounds(topic);
    partition.next = Math.max(partition.next, first[number]!);
    while (partition.next < end[number]!) {
      const from = new Map([[number, partition.next]]);
      const { messages, next } = await fetchCommitted(this.#client, topic, from, { waitMs: 100, bytes: BYTES });
      for (const { key, value } of messages) {
        if (value === null) partition.values.delete(String(key));
        else partition.values.set(String(key), String(value));
      }
      partition.next = next.get(number)!;
    }
  }

  async #existing(): Promise<TopicFacts | null> {
    this.#topic ??= await this.#client.topic(this.name);
    return this.#topic;
  }
}
