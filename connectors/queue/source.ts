import {
  type Batch,
  type Change,
  type Clock,
  type DatasetSchema,
  newRow,
  RequestRefusedError,
  type Row,
  SchemaChangedError,
  type Source,
  type SourceSpec,
} from '@tidemark/core';
import type { QueueFrom } from './config.ts';
import { decodePosition, encodePosition } from './position.ts';
import type { QueueFacts, Queues } from './queue.ts';

const BATCH = 1000;
/** How often it is looked whether something has come. */
const LOOK_MS = 100;
/** A reader says so often that it still reads, though there was nothing to read. */
const SEEN_MS = 60 * 60_000;
/** After so long without a word, whoever keeps messages waiting is named by `check`. */
const IDLE_MS = 24 * 60 * 60_000;

export interface QueueSourceOptions {
  readonly queues: Queues;
  readonly spec: SourceSpec<QueueFrom>;
  readonly keepMs: number;
  readonly clock: Clock;
}

/** @throws {RequestRefusedError} nothing has ever been put into it. */
export async function openSource(options: QueueSourceOptions, signal: AbortSignal): Promise<Source> {
  const { queues, spec, clock } = options;
  const { queue: name, schema } = spec.from;
  if (schema !== undefined) await queues.prepare(name, schema);
  if (spec.where !== undefined) {
    throw new RequestRefusedError(`The queue ${name} takes no where:`, { hint: 'Use steps: with a filter.' });
  }
  const facts = await queues.facts(name, signal);
  if (facts === null) {
    const names = await queues.names();
    const others = names.length === 0 ? 'It has no queue yet' : `It has: ${names.slice(0, 20).join(', ')}`;
    throw new RequestRefusedError(`There is no queue ${name} in ${queues.description}`, {
      hint: `${others}. A queue is made by the first run of the sync that fills it: run that one first.`,
    });
  }
  const idle = await queues.idleConsumers(name, clock.now() - IDLE_MS);
  return new QueueSource(options, facts, idle);
}

/**
 * Reads what was put into a queue, in that order. What it is asked to go on from has been applied for good by then, since the
 * checkpoint is kept with the target's data: so that is what it acknowledges (P1).
 */
class QueueSource implements Source {
  readonly changesOnly = true;
  readonly schema: DatasetSchema;
  readonly origin: string;
  readonly warnings: NonNullable<Source['warnings']>;
  readonly #options: QueueSourceOptions;
  readonly #facts: QueueFacts;

  constructor(options: QueueSourceOptions, facts: QueueFacts, idle: readonly { consumer: string; waiting: number }[]) {
    const { fields, exclude } = options.spec;
    this.#options = options;
    this.#facts = facts;
    this.origin = `queue:${facts.id}`;
    this.schema = {
      ...facts.schema,
      fields: facts.schema.fields.filter(
        ({ name }) => facts.schema.key.includes(name) || (!exclude.includes(name) && (fields === null || fields.includes(name))),
      ),
    };
    const unknown = fields?.find((name) => !facts.schema.fields.some((field) => field.name === name));
    if (unknown !== undefined) {
      throw new RequestRefusedError(`The messages of queue ${this.#name} have no field ${unknown}`, {
        hint: `They have: ${facts.schema.fields.map(({ name }) => name).join(', ')}.`,
      });
    }
    this.warnings = idle.map(({ consumer, waiting }) => ({
      message: `${waiting} messages of queue ${this.#name} wait for ${consumer}, which has not read for a day`,
      hint: `run ${consumer}; if there is no such sync any more, ${options.queues.howToForget(this.#name, consumer)}`,
    }));
  }

  get #name(): string {
    return this.#options.spec.from.queue;
  }

  get #consumer(): string {
    return this.#options.spec.unit ?? 'default';
  }

  async estimate(): Promise<number> {
    const { lastSeq, goneSeq } = await this.#now();
    return lastSeq - goneSeq;
  }

  /** Before the oldest message that is kept, or that came at the time with which the first run begins. */
  async mark(signal: AbortSignal): Promise<string> {
    const { queues, spec } = this.#options;
    const { goneSeq } = await this.#now(signal);
    const before = spec.startAtMs === null ? null : await queues.lastBefore(this.#name, spec.startAtMs);
    return encodePosition({ queue: this.#facts.id, seq: Math.max(goneSeq, before ?? 0), isStart: true });
  }

  // biome-ignore lint/correctness/useYield: there is nothing that could be read
  async *readFull(): AsyncGenerator<never> {
    throw new RequestRefusedError(`The queue ${this.#name} holds changes, and cannot tell which records there are`);
  }

  async *readDelta(from: string, signal: AbortSignal): AsyncGenerator<Batch> {
    const { queues } = this.#options;
    const position = decodePosition(from);
    const { id, schema, lastSeq, goneSeq } = await this.#now(signal);
    if (JSON.stringify(schema) !== JSON.stringify(this.#facts.schema)) {
      throw new SchemaChangedError(`The messages of queue ${this.#name} have got other fields`);
    }
    if (position.queue !== id || position.seq > lastSeq) {
      throw new RequestRefusedError(
        `The queue ${this.#name} is not the one that was read before: it was made anew, or restored`,
        {
          hint: 'If that is meant, reset the sync: it then begins with the oldest message that is kept.',
        },
      );
    }
    if (position.seq < goneSeq && !position.isStart) {
      throw new RequestRefusedError(
        `${goneSeq - position.seq} messages of queue ${this.#name} were acknowledged later than this checkpoint, and are put away`,
        {
          hint: 'Was the target restored from a backup? Bring what it lacks by a full run of the sync that fills the queue, then reset this one. Installations that share a queue need a watermarkKey each.',
        },
      );
    }
    // What was put away before a first read was never this reader's.
    let after = Math.max(position.seq, position.isStart ? goneSeq : 0);
    await this.#acknowledge(after);
    while (after < lastSeq) {
      const { part } = this.#options.spec;
      const { messages, upTo } = await queues.read(this.#name, { after, until: lastSeq, limit: BATCH, part }, signal);
      after = upTo;
      yield {
        changes: messages.flatMap((message) => ('change' in message ? this.#projected(message.change) : [])),
        unread: messages.flatMap((message) => ('unread' in message ? message.unread : [])),
        checkpoint: encodePosition({ queue: id, seq: after, isStart: false }),
      };
    }
  }

  async waitForChange(from: string, signal: AbortSignal): Promise<void> {
    const { seq, isStart } = decodePosition(from);
    while (!signal.aborted) {
      const { lastSeq, goneSeq } = await this.#now(signal);
      if (lastSeq > Math.max(seq, isStart ? goneSeq : 0)) return;
      await this.#look(signal);
    }
  }

  /** Until something is appended here, or it is time to see what other processes have appended. */
  async #look(signal: AbortSignal): Promise<void> {
    const { clock, queues } = this.#options;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const [slept, told] = [clock.sleep(LOOK_MS, either).catch(() => {}), queues.announced(either)];
    await Promise.race([slept, told]);
    over.abort();
    await Promise.all([slept, told]);
    signal.throwIfAborted();
  }

  async describeCheckpoint(checkpoint: string): Promise<{ readonly [fact: string]: string }> {
    const { queues } = this.#options;
    const { seq } = decodePosition(checkpoint);
    const { lastSeq, goneSeq } = await this.#now();
    const oldestMs = await queues.oldestAfter(this.#name, seq);
    return {
      queue: this.#name,
      depth: String(lastSeq - Math.max(seq, goneSeq)),
      ...(oldestMs === null ? {} : { oldest: new Date(oldestMs).toISOString() }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #now(signal?: AbortSignal): Promise<QueueFacts> {
    const facts = await this.#options.queues.facts(this.#name, signal);
    if (facts === null) throw new SchemaChangedError(`The queue ${this.#name} is not there any more`);
    return facts;
  }

  /** Written only when it says something new: a quiet queue costs no write. */
  async #acknowledge(seq: number): Promise<void> {
    const { queues, keepMs, clock } = this.#options;
    const now = clock.now();
    const known = await queues.consumer(this.#name, this.#consumer);
    if (known !== null && known.seq === seq && now - known.seenMs < SEEN_MS) return;
    const keptSince = keepMs === 0 ? Number.MAX_SAFE_INTEGER : now - keepMs;
    if (known === null) await this.#keepForOtherParts(now);
    await queues.acknowledge(this.#name, this.#consumer, seq, now, keptSince);
  }

  /** Before any part acknowledges anything, each is known as a consumer: what it has not read yet would be put away otherwise (P1). */
  async #keepForOtherParts(now: number): Promise<void> {
    const { queues, spec } = this.#options;
    const { goneSeq } = await this.#now();
    for (const unit of spec.part?.units ?? []) {
      if (unit === this.#consumer || (await queues.consumer(this.#name, unit)) !== null) continue;
      await queues.acknowledge(this.#name, unit, goneSeq, now, 0);
    }
  }

  #projected(change: Change): Change {
    if (change.row === null) return change;
    const row: Row = newRow();
    for (const { name } of this.schema.fields) row[name] = change.row[name] ?? null;
    return { ...change, row };
  }
}
