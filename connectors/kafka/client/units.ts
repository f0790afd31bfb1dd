import { compatibilityPartitioner, type MessageToProduce, Producer } from '@platformatic/kafka';
import { type Checkpoints, OwnershipLostError, TransientError } from '@tidemark/core';
import type { KafkaClient } from './client.ts';
import { guarded, isFenced } from './errors.ts';
import type { StateTopic } from './state-topic.ts';

/** A message on its way. A value of null is a tombstone. */
export interface Outgoing {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestampMs?: number;
  readonly partition?: number;
}

/** Where the first message of a batch has come to lie. */
export interface Sent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface Transaction {
  /** Together at most one batch of what their topics take. */
  send(messages: readonly Outgoing[]): Promise<readonly Sent[]>;
}

/** The brokers end a transaction that is open for longer, and its producer is fenced. */
const TRANSACTION_MS = 60_000;

/** So often what failed in passing is tried, where doing it twice does no harm. */
const TRIES = 3;

type Sender = Producer<Buffer, Buffer, Buffer, Buffer>;

interface Owned {
  readonly producer: Sender;
  readonly epoch: number;
}

interface Kept {
  readonly epoch: number;
  readonly checkpoint: string | null;
}

/**
 * Owners of units of work, each with a producer of its own. What a unit writes, its checkpoint and its epoch are one transaction of
 * Kafka (P1). Whoever takes a unit over has the brokers fence the producer of the one before, under way or not: its transaction is
 * aborted, and all that it sends later is refused (P11).
 */
export class Units implements AsyncDisposable {
  readonly checkpoints: Checkpoints;
  readonly #client: KafkaClient;
  readonly #state: StateTopic;
  readonly #owned = new Map<string, Owned>();
  /** Epochs of units whose last transaction was given up: their producers have to be made anew, since they may have lost count. */
  readonly #givenUp = new Map<string, number>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(client: KafkaClient, state: StateTopic) {
    this.#client = client;
    this.#state = state;
    this.checkpoints = {
      acquire: (unit, signal) =>
        this.#inTurn(unit, async () => {
          signal?.throwIfAborted();
          return this.#acquire(unit);
        }),
      read: async (unit) => (await this.#kept(unit))?.checkpoint ?? null,
      write: async (unit, epoch, checkpoint) => void (await this.transact(unit, epoch, async () => ({ checkpoint }))),
    };
  }

  /**
   * One transaction of this unit. What `work` answers is kept with what it has sent: a checkpoint, or undefined to leave the last.
   * @throws {OwnershipLostError} another owner has taken the unit over; nothing was written
   */
  transact(
    unit: string,
    epoch: number,
    work: (transaction: Transaction) => Promise<{ readonly checkpoint: string | null } | undefined>,
  ): Promise<void> {
    return this.#inTurn(unit, async () => {
      if (this.#givenUp.get(unit) === epoch) await this.#openAgain(unit, epoch);
      const owned = this.#owned.get(unit);
      if (owned === undefined || owned.epoch !== epoch) throw lost(unit);
      await this.#commit(unit, owned, work);
    });
  }

  /**
   * Writes values of the state that follow from what `work` reads there, though others do the same: of two at once the first is
   * refused, and begins again with what the other has written.
   */
  async exclusively(name: string, work: () => Promise<ReadonlyMap<string, string>>): Promise<void> {
    await this.#inTurn(name, async () => {
      for (let left = TRIES; ; left--) {
        const owned = this.#owned.get(name) ?? (await this.#open(name));
        try {
          return await this.#commit(name, owned, async ({ send }) => {
            const written = await work();
            for (const [key, value] of written) await send([await this.#stateMessage(key, value)]);
            return undefined;
          });
        } catch (error) {
          if (error instanceof OwnershipLostError) continue;
          // A broker that meets the end of one and the beginning of another may know no better word than an unexpected error.
          if (!(error instanceof TransientError) || left <= 1) throw error;
        }
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const owned = [...this.#owned.values()];
    this.#owned.clear();
    await Promise.all(owned.map(({ producer }) => producer.close(true).catch(() => {})));
  }

  async #acquire(unit: string): Promise<{ epoch: number; checkpoint: string | null }> {
    const known = this.#owned.get(unit);
    if (known !== undefined) {
      try {
        return await this.#raise(unit, known);
      } catch (error) {
        // Somebody else has it: it is taken over from him.
        if (!(error instanceof OwnershipLostError)) throw error;
      }
    }
    return this.#raise(unit, await this.#open(unit));
  }

  async #raise(unit: string, owned: Owned): Promise<{ epoch: number; checkpoint: string | null }> {
    const kept = (await this.#kept(unit)) ?? { epoch: 0, checkpoint: null };
    const raised = { producer: owned.producer, epoch: kept.epoch + 1 };
    await this.#commit(unit, raised, async () => ({ checkpoint: kept.checkpoint }));
    this.#owned.set(unit, raised);
    return { epoch: raised.epoch, checkpoint: kept.checkpoint };
  }

  /** For an owner that was one when it gave its transaction up. Whoever has taken the unit over since is the owner. */
  async #openAgain(unit: string, epoch: number): Promise<void> {
    this.#givenUp.delete(unit);
    const { producer } = await this.#open(unit);
    if ((await this.#kept(unit))?.epoch === epoch) this.#owned.set(unit, { producer, epoch });
    else await this.#close(unit, producer);
  }

  async #close(unit: string, producer: Sender): Promise<void> {
    this.#owned.delete(unit);
    await producer.close(true).catch(() => {});
  }

  /** A producer of this unit; whoever had it is fenced by now, and what he had begun is aborted. */
  async #open(unit: string): Promise<Owned> {
    const producer: Sender = new Producer<Buffer, Buffer, Buffer, Buffer>({
      ...this.#client.options(TRANSACTION_MS),
      transactionalId: `${this.#state.name}.${unit}`,
      idempotent: true,
      // None yet; the driver would claim one that is somebody else's.
      producerId: -1n,
      producerEpoch: -1,
      partitioner: compatibilityPartitioner,
      retries: 8,
    });
    try {
      const transaction = await guarded(() => producer.beginTransaction({ producerId: -1n, producerEpoch: -1 }));
      await transaction.cancel();
    } catch (error) {
      await producer.close(true).catch(() => {});
      throw error;
    }
    const owned = { producer, epoch: 0 };
    this.#owned.set(unit, owned);
    return owned;
  }

  async #commit(
    unit: string,
    { producer, epoch }: Owned,
    work: (transaction: Transaction) => Promise<{ readonly checkpoint: string | null } | undefined>,
  ): Promise<void> {
    const beganAtMs = performance.now();
    let written: Sent | null = null;
    let hasSent = false;
    let failed: unknown;
    try {
      const transaction = await producer.beginTransaction();
      try {
        const send = async (messages: readonly Outgoing[]) => {
          hasSent = true;
          const { offsets = [] } = await transaction.send({ messages: messages.map(messageOf) });
          const sent = offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset: Number(offset) }));
          written = sent.find(({ topic }) => topic === this.#state.name) ?? written;
          return sent;
        };
        const kept = await work({ send });
        if (kept !== undefined) {
          const record: Kept = { epoch, checkpoint: kept.checkpoint };
          await send([await this.#stateMessage(nameOf(unit), JSON.stringify(record))]);
        }
        if (hasSent) await transaction.commit();
        else await transaction.cancel();
      } catch (error) {
        failed = error;
        await transaction.abort();
        this.#givenUp.set(unit, epoch);
      }
    } catch (error) {
      failed ??= error;
    }
    if (failed === undefined) {
      if (written !== null) await this.#client.visible(await this.#state.facts(), written);
      return;
    }
    // A producer that has failed is never used again: the driver would make it a new one, and fence whoever owns the unit by then.
    await this.#close(unit, producer);
    if (!isFenced(failed)) return guarded(() => Promise.reject(failed));
    if (performance.now() - beganAtMs < TRANSACTION_MS) throw lost(unit, failed);
    throw new TransientError(`A transaction of ${unit} took more than ${TRANSACTION_MS / 1000} s and was ended by the brokers`, {
      cause: failed,
    });
  }

  async #kept(unit: string): Promise<Kept | null> {
    const text = await this.#state.read(nameOf(unit));
    return text === null ? null : (JSON.parse(text) as Kept);
  }

  async #stateMessage(key: string, value: string): Promise<Outgoing> {
    const topic = await this.#state.facts();
    return { topic: topic.name, key, value, partition: this.#state.partitionOf(key, topic) };
  }

  /** A producer has one transaction at a time. */
  #inTurn<T>(unit: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(unit) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(
      unit,
      turn.catch(() => {}),
    );
    return turn;
  }
}

const nameOf = (unit: string) => `unit:${unit}`;

function messageOf({
  topic,
  key,
  value,
  headers,
  timestampMs,
  partition,
}: Outgoing): MessageToProduce<Buffer, Buffer, Buffer, Buffer> {
  const bytes = Object.entries(headers ?? {}).map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const);
  return {
    topic,
    ...(key !== null && { key: Buffer.from(key) }),
    // The driver's types know no tombstones; what it sends does.
    value: (value === null ? null : Buffer.from(value)) as Buffer,
    ...(bytes.length > 0 && { headers: new Map(bytes) }),
    ...(timestampMs !== undefined && { timestamp: BigInt(timestampMs) }),
    ...(partition !== undefined && { partition }),
  };
}

function lost(unit: string, cause?: unknown): OwnershipLostError {
  return new OwnershipLostError(`Another worker has taken over ${JSON.stringify(unit)}`, cause === undefined ? {} : { cause });
}
