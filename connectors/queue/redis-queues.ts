import { randomUUID } from 'node:crypto';
import { type Checkpoints, type DatasetSchema, type Problem, RequestRefusedError } from '@tidemark/core';
import { createClient } from 'redis';
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
import { toSyncError } from './redis-errors.ts';
import { ACKNOWLEDGE, APPEND, KEEP_CHECKPOINT, PREPARE } from './redis-scripts.ts';

type Client = ReturnType<typeof createClient>;

/** Messages that are looked through in one go. */
const LOOK = 500;

/**
 * Queues in Redis: a stream for each, whose ids are the numbers of its messages, and its facts in a hash. Redis does one thing after
 * the other, so that messages become visible in their order.
 */
export class RedisQueues extends Announcements implements Queues {
  readonly checkpoints: Checkpoints;
  readonly description: string;
  readonly #url: string;
  readonly #prefix: string;
  #client: Promise<Client> | undefined;

  constructor(url: string, prefix: string, connection: string) {
    super();
    if (!URL.canParse(url)) {
      // The text itself is not repeated: it holds the password.
      throw new RequestRefusedError(`connections.${connection}.url is no URL`, {
        hint: 'redis://user:password@host:6379/0, with characters like @ : / in the password percent-encoded',
      });
    }
    this.#url = url;
    this.description = `${new URL(url).host}/${prefix}`;
    this.#prefix = `{${prefix}}`;
    this.checkpoints = {
      acquire: (unit, signal) =>
        this.#do(async (client) => {
          signal?.throwIfAborted();
          const [epoch, checkpoint] = await client
            .multi()
            .hIncrBy(this.#unit(unit), 'epoch', 1)
            .hGet(this.#unit(unit), 'checkpoint')
            .exec();
          return { epoch: Number(epoch), checkpoint: (checkpoint as unknown as string | null) ?? null };
        }),
      read: (unit) => this.#do(async (client) => (await client.hGet(this.#unit(unit), 'checkpoint')) ?? null),
      write: (unit, epoch, checkpoint) =>
        this.#do(async (client) => {
          await client.eval(KEEP_CHECKPOINT, {
            keys: [this.#unit(unit)],
            arguments: [`${epoch}`, checkpoint ?? '', checkpoint === null ? '0' : '1'],
          });
        }),
    };
  }

  names(): Promise<readonly string[]> {
    return this.#do(async (client) => (await client.sMembers(`${this.#prefix}:queues`)).sort());
  }

  facts(queue: string, signal?: AbortSignal): Promise<QueueFacts | null> {
    return this.#do(async (client) => {
      const { id, schema, last, gone } = await client.hGetAll(this.#facts(queue));
      if (id === undefined) return null;
      return { id, schema: JSON.parse(schema!) as DatasetSchema, lastSeq: Number(last), goneSeq: Number(gone) };
    }, signal);
  }

  prepare(queue: string, arriving: DatasetSchema): Promise<void> {
    return this.#do(async (client) => {
      for (;;) {
        const known = (await client.hGet(this.#facts(queue), 'schema')) ?? '';
        const schema = widened(known === '' ? null : (JSON.parse(known) as DatasetSchema), arriving, queue);
        const text = JSON.stringify(schema);
        if (text === known) return;
        const keys = [this.#facts(queue), `${this.#prefix}:queues`];
        if ((await client.eval(PREPARE, { keys, arguments: [known, text, randomUUID(), queue] })) === 1) return;
      }
    });
  }

  async append(appends: readonly Append[], commit: Commit, nowMs: number, signal?: AbortSignal): Promise<void> {
    const filled = appends.filter(({ changes }) => changes.length > 0);
    const keys = [this.#unit(commit.unit), ...filled.flatMap(({ queue }) => [this.#facts(queue), this.#log(queue)])];
    const { epoch, checkpoint } = commit;
    const values = [`${epoch}`, checkpoint ?? '', checkpoint === null ? '0' : '1', `${nowMs}`];
    for (const { changes } of filled) {
      values.push(`${changes.length}`);
      for (const { op, key, row, stampMs } of changes) values.push(op, JSON.stringify(key), JSON.stringify(row), `${stampMs}`);
    }
    await this.#do((client) => client.eval(APPEND, { keys, arguments: values }), signal);
    this.announce();
  }

  read(queue: string, stretch: Stretch, signal?: AbortSignal): Promise<Found> {
    const { after, until, limit } = stretch;
    return this.#do(async (client) => {
      const found = (await client.xRange(this.#log(queue), `${after + 1}-0`, `${until}-0`, { COUNT: limit })) ?? [];
      const messages = found.map(({ id, message: { ...raw } }) =>
        messageAt(queue, Number.parseInt(id, 10), raw, () => ({
          op: raw.op,
          key: JSON.parse(raw.key!),
          row: JSON.parse(raw.record!),
          stampMs: Number(raw.stamp),
        })),
      );
      return foundOf(messages, stretch);
    }, signal);
  }

  oldestAfter(queue: string, after: number): Promise<number | null> {
    return this.#do(async (client) => {
      const [oldest] = (await client.xRange(this.#log(queue), `${after + 1}-0`, '+', { COUNT: 1 })) ?? [];
      return oldest === undefined ? null : Number(oldest.message.at);
    });
  }

  lastBefore(queue: string, atMs: number): Promise<number | null> {
    return this.#do(async (client) => {
      for (let end = '+'; ; ) {
        const found = (await client.xRevRange(this.#log(queue), end, '-', { COUNT: LOOK })) ?? [];
        const before = found.find(({ message }) => Number(message.at) < atMs);
        if (before !== undefined) return Number.parseInt(before.id, 10);
        if (found.length < LOOK) return null;
        end = `${Number.parseInt(found.at(-1)!.id, 10) - 1}-0`;
      }
    });
  }

  consumer(queue: string, consumer: string): Promise<{ seq: number; seenMs: number } | null> {
    return this.#do(async (client) => {
      const [seq, seenMs] = await Promise.all([
        client.hGet(this.#consumers(queue), consumer),
        client.hGet(this.#seen(queue), consumer),
      ]);
      return seq == null ? null : { seq: Number(seq), seenMs: Number(seenMs) };
    });
  }

  idleConsumers(queue: string, sinceMs: number): Promise<{ consumer: string; waiting: number }[]> {
    return this.#do(async (client) => {
      const [last, positions, seen] = await Promise.all([
        client.hGet(this.#facts(queue), 'last'),
        client.hGetAll(this.#consumers(queue)),
        client.hGetAll(this.#seen(queue)),
      ]);
      return Object.entries(positions)
        .filter(([consumer, seq]) => Number(seen[consumer]) < sinceMs && Number(seq) < Number(last))
        .map(([consumer, seq]) => ({ consumer, waiting: Number(last) - Number(seq) }))
        .sort((a, b) => (a.consumer < b.consumer ? -1 : 1));
    });
  }

  async acknowledge(queue: string, consumer: string, seq: number, nowMs: number, keptSinceMs: number): Promise<void> {
    const keys = [this.#facts(queue), this.#log(queue), this.#consumers(queue), this.#seen(queue)];
    await this.#do((client) => client.eval(ACKNOWLEDGE, { keys, arguments: [consumer, `${seq}`, `${nowMs}`, `${keptSinceMs}`] }));
  }

  /** What of the server's settings would lose messages. */
  warnings(place: string): Promise<readonly Problem[]> {
    return this.#do(async (client) => {
      await client.ping();
      const setting = async (name: string) => (await client.configGet(name).catch(() => null))?.[name];
      const problems: Problem[] = [];
      const warn = (message: string, hint: string) => problems.push({ place, severity: 'warning', message, hint });
      const [appendOnly, fsync, eviction] = [
        await setting('appendonly'),
        await setting('appendfsync'),
        await setting('maxmemory-policy'),
      ];
      if (appendOnly === 'no' || (fsync !== undefined && fsync !== 'always')) {
        warn('Redis forgets what it has acknowledged when its machine fails', 'Set appendonly yes and appendfsync always.');
      }
      if (eviction !== undefined && eviction !== 'noeviction') {
        warn(
          `Redis throws messages away when its memory is full (maxmemory-policy ${eviction})`,
          'Set maxmemory-policy noeviction.',
        );
      }
      const { protocol, hostname } = new URL(this.#url);
      if (protocol === 'redis:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)) {
        warn('records and password go to Redis in the clear', 'Use rediss:// where the server speaks TLS.');
      }
      return problems;
    });
  }

  howToForget(queue: string, consumer: string): string {
    return `HDEL ${this.#consumers(queue)} ${JSON.stringify(consumer)}`;
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    if (client?.isOpen) client.destroy();
  }

  #facts = (queue: string) => `${this.#prefix}:queue:${queue}`;
  #log = (queue: string) => `${this.#prefix}:log:${queue}`;
  #consumers = (queue: string) => `${this.#prefix}:consumers:${queue}`;
  #seen = (queue: string) => `${this.#prefix}:seen:${queue}`;
  #unit = (unit: string) => `${this.#prefix}:unit:${unit}`;

  async #do<T>(work: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await work(await this.#connected());
    } catch (error) {
      throw toSyncError(error);
    }
  }

  /** One connection for all; one that broke is made anew by whoever asks next, so that nobody waits for it unknowing. */
  async #connected(): Promise<Client> {
    const before = this.#client;
    const known = await before?.catch(() => undefined);
    if (known?.isReady) return known;
    // Of those who find it broken the first connects, for all of them: a connection that nobody knows would keep the process alive.
    if (this.#client !== undefined && this.#client !== before) return this.#client;
    if (known?.isOpen) known.destroy();
    this.#client = this.#connect();
    return this.#client;
  }

  async #connect(): Promise<Client> {
    const client = createClient({
      url: this.#url,
      name: `tidemark:${this.#prefix}`,
      disableOfflineQueue: true,
      socket: { connectTimeout: 10_000, reconnectStrategy: false },
    });
    // A connection that breaks is reported by the command that meets it; without a listener it would end the process.
    client.on('error', () => {});
    await client.connect();
    return client as Client;
  }
}
