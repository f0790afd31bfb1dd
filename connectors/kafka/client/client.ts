import { isIP } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { Admin, type BaseOptions, ConfigResourceTypes, FetchIsolationLevels, ListOffsetTimestamps } from '@platformatic/kafka';
import { NotConnectedError, RequestRefusedError } from '@tidemark/core';
import { guarded } from './errors.ts';
import './quiet-connections.ts';

/** How the brokers are reached. */
export interface KafkaAccess {
  readonly brokers: readonly string[];
  readonly tls: TlsOptions | null;
  readonly sasl: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: string;
  } | null;
}

export interface TopicFacts {
  readonly name: string;
  /** Of this topic since it was made: one of the same name that was made anew has another. */
  readonly id: string;
  /** The broker that leads each partition, by number of the partition. */
  readonly leaders: readonly number[];
}

export interface TopicSettings {
  readonly partitions: number;
  /** -1 for the brokers' own default. */
  readonly replicas: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Bounds of a topic, by number of the partition. */
export interface Bounds {
  /** The oldest offset that is kept. */
  readonly first: readonly number[];
  /** Behind the last one that a reader of committed messages may see. */
  readonly end: readonly number[];
}

/** A broker takes so large a batch unless told otherwise. */
export const BATCH_BYTES = 1_048_588;
const LEADERS_MS = 10_000;
const VISIBLE_MS = 90_000;

/** One cluster, asked for what is there. Connects when it is first used. */
export class KafkaClient implements AsyncDisposable {
  readonly access: KafkaAccess;
  #admin: Admin | undefined;

  constructor(access: KafkaAccess) {
    this.access = access;
  }

  /** Where it is, for messages; no password. */
  get description(): string {
    return this.access.brokers.join(',');
  }

  /** What each client of the driver is made with. */
  options(timeoutMs = 30_000): BaseOptions {
    const { brokers, tls, sasl } = this.access;
    return {
      clientId: 'tidemark',
      bootstrapBrokers: [...brokers],
      connectTimeout: 5000,
      timeout: timeoutMs,
      retries: 8,
      retryDelay: (_client, _operation, attempt) => Math.min(10 * 2 ** attempt, 1000),
      // A name that is an address is none that TLS takes.
      ...(tls !== null && { tls, tlsServerName: !brokers.some((each) => isIP(each.replace(/:\d+$/, '')) !== 0) }),
      ...(sasl !== null && { sasl }),
    };
  }

  /** A second set of connections, for requests that wait at the broker and would keep others waiting. */
  sibling(): KafkaClient {
    return new KafkaClient(this.access);
  }

  get admin(): Admin {
    this.#admin ??= new Admin({ ...this.options(), retries: 3 });
    return this.#admin;
  }

  topics(): Promise<readonly string[]> {
    return guarded(async () => (await this.admin.listTopics()).toSorted());
  }

  /** As it is now; null when there is none. */
  async topic(name: string): Promise<TopicFacts | null> {
    const found = await guarded(() => this.admin.metadata({ topics: [name], forceUpdate: true })).catch((error: unknown) => {
      if (error instanceof RequestRefusedError && error.message.startsWith('Unknown topic')) return null;
      throw error;
    });
    const topic = found?.topics.get(name);
    if (topic === undefined) return null;
    return { name, id: topic.id, leaders: topic.partitions.map(({ leader }) => leader) };
  }

  /** Makes it where it is not there, whoever else does so at the same time, and waits until it can be used. */
  async createTopic(name: string, { partitions, replicas, configs = {} }: TopicSettings): Promise<TopicFacts> {
    await guarded(() =>
      this.admin.createTopics({
        topics: [name],
        partitions,
        replicas,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      }),
    ).catch((error: unknown) => {
      if (!/already exists/i.test(String((error as Error).message))) throw error;
    });
    const until = Date.now() + LEADERS_MS;
    for (;;) {
      const facts = await this.topic(name).catch(() => null);
      if (facts?.leaders.every((leader) => leader >= 0) === true) return facts;
      if (Date.now() > until) throw new NotConnectedError(`The topic ${name} was made, and no broker leads it`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async bounds({ name, leaders }: TopicFacts): Promise<Bounds> {
    const [first, end] = await Promise.all([
      this.#offsets(name, leaders.length, ListOffsetTimestamps.EARLIEST),
      this.#offsets(name, leaders.length, ListOffsetTimestamps.LATEST),
    ]);
    return { first, end };
  }

  /**
   * Resolves once readers see what was committed at this offset: the end of a transaction is told before its markers are written. What
   * another one has open before it hides it for as long as the brokers let that live.
   */
  async visible(
    topic: TopicFacts,
    { partition, offset }: { readonly partition: number; readonly offset: number },
  ): Promise<void> {
    const until = Date.now() + VISIBLE_MS;
    for (let waitMs = 1; Date.now() < until; waitMs = Math.min(waitMs * 2, 100)) {
      const end = await this.#offsets(topic.name, topic.leaders.length, ListOffsetTimestamps.LATEST);
      if (end[partition]! > offset) return;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** Throws away all that is older, in a topic of one partition. */
  async deleteBefore({ name }: TopicFacts, offset: number): Promise<void> {
    const topics = [{ name, partitions: [{ partition: 0, offset: BigInt(offset) }] }];
    await guarded(() => this.admin.deleteRecords({ topics }));
  }

  /** Tells Kafka how far somebody has come who keeps that elsewhere: so its own tools show the lag. */
  async tellGroup(group: string, { name }: TopicFacts, next: ReadonlyMap<number, number>): Promise<void> {
    const partitionOffsets = [...next].map(([partition, offset]) => ({ partition, offset: BigInt(offset) }));
    await guarded(() => this.admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name, partitionOffsets }] }));
  }

  /** Of each partition the first offset that was stamped at this time or later; null where there is none. */
  async offsetsAt({ name, leaders }: TopicFacts, atMs: number): Promise<readonly (number | null)[]> {
    const found = await this.#offsets(name, leaders.length, BigInt(atMs));
    return found.map((offset) => (offset < 0 ? null : offset));
  }

  /** The largest batch of records that the topic takes. */
  async batchBytesMax(topic: string): Promise<number> {
    try {
      const [found] = await this.admin.describeConfigs({
        resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: ['max.message.bytes'] }],
      });
      return Number(found?.configs[0]?.value ?? BATCH_BYTES);
    } catch {
      // Not everybody may ask. The brokers refuse what is too large all the same.
      return BATCH_BYTES;
    }
  }

  async #offsets(topic: string, partitions: number, timestamp: bigint): Promise<number[]> {
    const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const found = await guarded(() =>
      this.admin.listOffsets({
        topics: [{ name: topic, partitions: asked }],
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
      }),
    );
    const offsets = new Map(
      found.flatMap(({ partitions: each }) => each.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)])),
    );
    return asked.map(({ partitionIndex }) => offsets.get(partitionIndex) ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin?.close().catch(() => {});
    this.#admin = undefined;
  }
}
