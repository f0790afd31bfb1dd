import { createHash } from 'node:crypto';
import {
  type Change,
  type Checkpoints,
  type Commit,
  gatheringWriter,
  type Rejection,
  RequestRefusedError,
  type SchemaChange,
  type StreamWriter,
  type Target,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import {
  BATCH_BYTES,
  batchBytesOf,
  batchesOf,
  type KafkaClient,
  messageBytesMax,
  type Outgoing,
  refusalOf,
  sizeOf,
  type Units,
} from './client/index.ts';
import type { KafkaTo } from './config.ts';
import { messageWriter, type Written } from './write-message.ts';

export interface KafkaSystem {
  readonly client: KafkaClient;
  readonly units: Units;
  /** Messages of streams that the brokers have refused, by what is in them, until their stream has kept a position beyond them. */
  readonly refused: Map<string, { readonly unit: string; readonly reason: Rejection }>;
}

/**
 * Puts each change into a topic as a message with the record's key, so that a record is always in the same partition and its changes
 * in their order (P3). Messages, checkpoint and epoch are one transaction of Kafka (P1, P11): readers of committed messages see all of
 * it or nothing.
 */
export class KafkaTarget implements Target {
  readonly batchSizeMax = 5000;
  readonly compares = false;
  readonly checkpoints: Checkpoints;
  readonly system: KafkaSystem;
  readonly #spec: TargetSpec<KafkaTo>;
  readonly #write: (change: Change) => Written;
  /** Told by `prepare`; what the brokers take unless told otherwise. */
  #batchBytesMax = BATCH_BYTES;
  /** So many are sent at once: fewer where the brokers have taken no more, and nobody has told. */
  #bytesAtOnce = BATCH_BYTES;

  constructor(system: KafkaSystem, spec: TargetSpec<KafkaTo>) {
    const { topic, format } = spec.to;
    this.system = system;
    this.checkpoints = system.units.checkpoints;
    this.#spec = spec;
    this.#write = messageWriter({ ...spec, topic, format });
  }

  async plan(): Promise<readonly SchemaChange[]> {
    const { topic, partitions, replicas, create } = this.#spec.to;
    if ((await this.system.client.topic(topic)) !== null) return [];
    if (!create) {
      throw new RequestRefusedError(`There is no topic ${topic} at ${this.system.client.description}`, {
        hint: 'Make it, or let it be made with create: true.',
      });
    }
    const copies = replicas === undefined ? '' : `, ${replicas} copies of each`;
    return [{ summary: `create topic ${topic} with ${partitions} partitions${copies}`, isNew: true }];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const changes = await this.plan();
    const { topic, partitions, replicas = -1 } = this.#spec.to;
    if (changes.length > 0) await this.system.client.createTopic(topic, { partitions, replicas });
    this.#batchBytesMax = await this.system.client.batchBytesMax(topic);
    this.#bytesAtOnce = this.#batchBytesMax;
    return changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const taken = changes.map((change) => this.take(change));
    const results = taken.map(({ result }) => result);
    const attempt = () =>
      this.system.units.transact(this.#spec.unit, commit.epoch, async ({ send }) => {
        for (const batch of this.batches(taken.flatMap(({ message }, i) => (isWritten(results[i]!) && message) || []))) {
          signal.throwIfAborted();
          await send(batch);
        }
        const checkpoint = await commit.settle(results);
        return checkpoint === null ? undefined : { checkpoint };
      });
    try {
      await attempt();
    } catch (error) {
      if (refusalOf(error) === null) throw error;
      // The others are sent again.
      const messages = taken.flatMap(({ message }) => message ?? []);
      const refused = await this.refusedOf(messages, this.#spec.unit, commit.epoch);
      for (const [i, { message }] of taken.entries()) {
        const reason = message === null ? undefined : refused.get(message);
        if (reason !== undefined) results[i] = { status: 'rejected', reason };
      }
      await attempt();
    }
    return results;
  }

  /** What becomes of this change, and its message where it has one. */
  take(change: Change): { readonly result: WriteResult; readonly message: Outgoing | null } {
    if (change.op === 'delete' && this.#spec.deletes === 'ignore') return { result: { status: 'unchanged' }, message: null };
    const written = this.#write(change);
    if ('rejected' in written) return { result: { status: 'rejected', reason: written.rejected }, message: null };
    const { message } = written;
    const bytes = sizeOf(message);
    if (bytes > messageBytesMax(this.#batchBytesMax)) {
      const reason = {
        code: 'MESSAGE_TOO_LARGE',
        message: `${bytes} bytes are more than max.message.bytes of ${message.topic} allows`,
      };
      return { result: { status: 'rejected', reason }, message: null };
    }
    return { result: { status: change.op === 'delete' ? 'deleted' : 'updated' }, message };
  }

  batches(messages: readonly Outgoing[]): Iterable<readonly Outgoing[]> {
    return batchesOf(messages, this.#bytesAtOnce);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Those that the brokers do not take, and why. They do not say which: by halves, in transactions that are given up. */
  async refusedOf(messages: readonly Outgoing[], unit: string, epoch: number): Promise<ReadonlyMap<Outgoing, Rejection>> {
    const reason = await this.#refusalOf(messages, unit, epoch);
    if (reason === null) return new Map();
    if (messages.length === 1) return new Map([[messages[0]!, reason]]);
    const half = messages.length >> 1;
    const halves = [messages.slice(0, half), messages.slice(half)];
    const refused = new Map<Outgoing, Rejection>();
    for (const each of halves) for (const [message, why] of await this.refusedOf(each, unit, epoch)) refused.set(message, why);
    // Each half is taken, and both together are not: they are too much at once.
    if (refused.size === 0) this.#bytesAtOnce = Math.min(this.#bytesAtOnce, Math.max(...halves.map(batchBytesOf)));
    return refused;
  }

  /** Why the brokers do not take these messages; null when they would. */
  async #refusalOf(messages: readonly Outgoing[], unit: string, epoch: number): Promise<Rejection | null> {
    const enough = new Error('only tried');
    try {
      await this.system.units.transact(unit, epoch, async ({ send }) => {
        for (const batch of this.batches(messages)) await send(batch);
        throw enough;
      });
    } catch (error) {
      const code = refusalOf(error);
      if (code !== null) return { code, message: (error as Error).message };
      if (error !== enough) throw error;
    }
    return null;
  }
}

/**
 * Puts what a stream brings into several topics in one transaction, with the stream's position (P1, P6). The brokers refuse a message
 * only when it is sent, and by then all results are given: it is remembered, and refused when the stream brings it once more (P2).
 */
export function kafkaStreamWriter({ units, refused }: KafkaSystem): StreamWriter {
  return gatheringWriter<KafkaTarget>({
    isOwn: (target: Target): target is KafkaTarget => target instanceof KafkaTarget && target.system.units === units,
    take(target, change) {
      // A message holds a whole record: of a partial change it is read first.
      if (change.op === 'update') return { result: { status: 'absent' }, appended: [] };
      const { result, message } = target.take(change);
      const known = message === null || refused.size === 0 ? undefined : refused.get(contentOf(message));
      if (known !== undefined) return { result: { status: 'rejected', reason: known.reason }, appended: [] };
      return { result, appended: message === null ? [] : [change] };
    },
    async commit(gathered, { unit, epoch, checkpoint }, signal) {
      const outgoing = [...gathered].map(([target, changes]) => ({
        target,
        messages: changes.flatMap((change) => target.take(change).message ?? []),
      }));
      const attempt = () =>
        units.transact(unit, epoch, async ({ send }) => {
          for (const { target, messages } of outgoing) {
            for (const batch of target.batches(messages)) {
              signal.throwIfAborted();
              await send(batch);
            }
          }
          return { checkpoint };
        });
      try {
        await attempt();
      } catch (error) {
        if (refusalOf(error) === null) throw error;
        const before = refused.size;
        for (const { target, messages } of outgoing) {
          const found = await target.refusedOf(messages, unit, epoch);
          for (const [message, reason] of found) refused.set(contentOf(message), { unit, reason });
        }
        if (refused.size > before) throw error;
        await attempt();
      }
      for (const [content, known] of refused) if (known.unit === unit) refused.delete(content);
    },
  });
}

const isWritten = ({ status }: WriteResult) => status !== 'rejected' && status !== 'unchanged';

/** Its own digest: a message may be large. */
const contentOf = ({ topic, key, value }: Outgoing) =>
  createHash('sha256')
    .update(JSON.stringify([topic, key, value]))
    .digest('base64');
