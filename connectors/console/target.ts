import type { Change, Commit, SchemaChange, Target, TargetSpec, WriteResult } from '@tidemark/core';
import type { ConsoleTo } from './config.ts';
import type { Lines } from './lines.ts';
import { compileMessage } from './message.ts';

/** Prints changes. It cannot compare and keeps no checkpoint: a line that is out cannot be taken back, so a crash may repeat some. */
export class ConsoleTarget implements Target {
  readonly batchSizeMax = 1_000;
  readonly compares = false;
  readonly #lines: Lines;
  readonly #spec: TargetSpec<ConsoleTo>;
  readonly #message: (change: Change) => string;

  constructor(lines: Lines, spec: TargetSpec<ConsoleTo>) {
    this.#lines = lines;
    this.#spec = spec;
    this.#message = compileMessage(
      spec.to.message,
      spec.schema.fields.map(({ name }) => name),
    );
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const told = changes.filter((change) => change.op === 'upsert' || this.#spec.deletes !== 'ignore');
    if (told.length > 0) await this.#lines.write(told.map((change) => this.#lineOf(change)));
    const results = changes.map((change): WriteResult => {
      if (change.op === 'upsert') return { status: 'updated' };
      return { status: this.#spec.deletes === 'ignore' ? 'unchanged' : 'deleted' };
    });
    await commit.settle(results);
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #lineOf(change: Change): string {
    return JSON.stringify({ message: this.#message(change), op: change.op, key: change.key, row: change.row });
  }
}
