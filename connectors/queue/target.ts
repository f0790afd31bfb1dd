import type { Change, Checkpoints, Clock, Commit, SchemaChange, Target, TargetSpec, WriteResult } from '@tidemark/core';
import type { QueueTo } from './config.ts';
import { type Queues, widened } from './queue.ts';

/**
 * Appends each change. Changes and the checkpoint of who wrote them are one transaction (P1), which begins only after the results
 * are settled: while it is open, nobody else can append.
 */
export class QueueTarget implements Target {
  readonly batchSizeMax = 5000;
  readonly compares = false;
  readonly checkpoints: Checkpoints;
  readonly queues: Queues;
  readonly #spec: TargetSpec<QueueTo>;
  readonly #clock: Clock;

  constructor(queues: Queues, spec: TargetSpec<QueueTo>, clock: Clock) {
    this.queues = queues;
    this.checkpoints = queues.checkpoints;
    this.#spec = spec;
    this.#clock = clock;
  }

  get name(): string {
    return this.#spec.to.queue;
  }

  async plan(): Promise<readonly SchemaChange[]> {
    const { schema } = this.#spec;
    const known = await this.queues.facts(this.name);
    if (known === null) return [{ summary: `create queue ${this.name} with ${schema.fields.length} fields`, isNew: true }];
    widened(known.schema, schema, this.name);
    return schema.fields
      .filter(({ name }) => !known.schema.fields.some((field) => field.name === name))
      .map(({ name }) => ({ summary: `messages of queue ${this.name} get the field ${name}`, newField: name }));
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const changes = await this.plan();
    await this.queues.prepare(this.name, this.#spec.schema);
    return changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const results = changes.map((change) => this.resultOf(change));
    const checkpoint = await commit.settle(results);
    const { unit } = this.#spec;
    const appends = [{ queue: this.name, changes: this.kept(changes) }];
    await this.queues.append(appends, { unit, epoch: commit.epoch, checkpoint }, this.#clock.now(), signal);
    return results;
  }

  /** What is appended of these. */
  kept(changes: readonly Change[]): readonly Change[] {
    return this.#spec.deletes === 'ignore' ? changes.filter(({ op }) => op === 'upsert') : changes;
  }

  resultOf({ op }: Pick<Change, 'op'>): WriteResult {
    if (op === 'upsert') return { status: 'updated' };
    return { status: this.#spec.deletes === 'ignore' ? 'unchanged' : 'deleted' };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
