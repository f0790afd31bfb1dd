import { createHash } from 'node:crypto';
import {
  type Block,
  type Clock,
  type Load,
  type LoadCommit,
  type LoadCounts,
  newRow,
  type RejectedRow,
  RequestRefusedError,
  type TargetSpec,
} from '@tidemark/core';
import { BlockMemory } from './block-transfer.ts';
import type { SqliteClient } from './client.ts';
import type { SqliteTo } from './config.ts';
import type { TableLayout } from './layout.ts';
import type { LoadIdentity, StagedReject } from './staging.ts';
import type { SqlValue } from './values.ts';

/** Blocks on their way to the worker at a time: one that it works on, and some for while this thread scans or collects. */
const blocksInFlightMax = 3;

/** A full load staged beside the table. See `Staging` for how an unfinished page is told from a kept one. */
export class SqliteLoad implements Load {
  readonly #client: SqliteClient;
  readonly #identity: LoadIdentity;
  readonly #spec: TargetSpec<SqliteTo>;
  readonly #clock: Clock;
  readonly #memory = new BlockMemory();
  #position: string | null;
  #rows: number;

  static async begin(
    client: SqliteClient,
    layout: TableLayout,
    spec: TargetSpec<SqliteTo>,
    { epoch, loadId, stampColumn }: LoadCommit,
    clock: Clock,
  ): Promise<SqliteLoad> {
    const { unit } = spec;
    const hash = createHash('sha256').update(`${unit}\0${layout.table}`).digest('hex').slice(0, 12);
    const identity = { layout, unit, epoch, loadId, stampColumn, staging: `_tidemark_load_${hash}` };
    const kept = await client.locked(() => client.call('beginLoad', identity));
    return new SqliteLoad(client, identity, spec, clock, kept);
  }

  private constructor(
    client: SqliteClient,
    identity: LoadIdentity,
    spec: TargetSpec<SqliteTo>,
    clock: Clock,
    kept: { position: string | null; rows: number },
  ) {
    this.#client = client;
    this.#identity = identity;
    this.#spec = spec;
    this.#clock = clock;
    this.#position = kept.position;
    this.#rows = kept.rows;
  }

  get position(): string | null {
    return this.#position;
  }

  get rows(): number {
    return this.#rows;
  }

  async writePage(
    blocks: AsyncIterable<Block>,
    position: string,
    reject: (rows: readonly RejectedRow[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    let rows = 0;
    let rejected = 0;
    const settle = async (staged: Promise<StagedReject[]>) => {
      const refused = await staged;
      rejected += refused.length;
      if (refused.length > 0) await reject(refused.map((each) => ({ ...each, row: Object.assign(newRow(), each.row) })));
    };
    const inFlight: Promise<StagedReject[]>[] = [];
    try {
      for await (const block of blocks) {
        signal.throwIfAborted();
        rows += block.rowCount;
        inFlight.push(this.#stage(block));
        if (inFlight.length >= blocksInFlightMax) await settle(inFlight.shift()!);
      }
      while (inFlight.length > 0) await settle(inFlight.shift()!);
      signal.throwIfAborted();
      const kept = await this.#client.locked(() => this.#client.call('keepPage', this.#identity, position));
      this.#position = position;
      this.#rows = kept.rows;
      return { rows: rows - rejected, rejected };
    } catch (error) {
      await Promise.allSettled(inFlight);
      // The first error is the one to tell; when even this fails, whoever resumes undoes the page.
      await this.#client.locked(() => this.#client.call('dropPage', this.#identity)).catch(() => undefined);
      throw error;
    }
  }

  countMissing(): Promise<{ missing: number; total: number }> {
    return this.#client.call('countMissing', this.#identity);
  }

  async *missingKeys(): AsyncIterable<readonly string[]> {
    for await (const keys of this.#parts('missingPart')) if (keys.length > 0) yield keys as readonly string[];
  }

  async *differences(): AsyncIterable<{ key: string; kind: 'missing' | 'extra' | 'different' }> {
    for await (const items of this.#parts('differentPart')) yield* items as { key: string; kind: 'missing' | 'different' }[];
    for await (const keys of this.missingKeys()) for (const key of keys) yield { key, kind: 'extra' };
  }

  finish(end: {
    gone: readonly string[];
    checkpoint: string | null;
    reject?: (rows: readonly RejectedRow[]) => Promise<void>;
    signal: AbortSignal;
  }): Promise<LoadCounts> {
    const { gone, checkpoint } = end;
    const now = new Date(this.#clock.now()).toISOString();
    const request = { identity: this.#identity, deletes: this.#spec.deletes, gone, checkpoint, now };
    return this.#client.locked(async () => {
      const without: number[] = [];
      for (;;) {
        end.signal.throwIfAborted();
        const finished = await this.#client.call('finishLoad', { ...request, without });
        if ('counts' in finished) return finished.counts;
        const { refused } = finished;
        if (end.reject === undefined) throw new RequestRefusedError(`the table refuses a row: ${refused[0]!.reason.message}`);
        await end.reject(refused.map(({ rowid: _, ...each }) => ({ ...each, row: Object.assign(newRow(), each.row) })));
        without.push(...refused.map(({ rowid }) => rowid));
      }
    });
  }

  async discard(): Promise<void> {
    await this.#client.locked(() => this.#client.call('discardLoad', this.#identity));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #stage(block: Block): Promise<StagedReject[]> {
    const { packed, free } = this.#memory.pack(block);
    const staged = this.#client.queued(() => this.#client.call('stage', this.#identity, packed)).finally(free);
    // It may fail while the next block is awaited; it is heard of when its turn comes.
    staged.catch(() => undefined);
    return staged;
  }

  async *#parts(op: 'missingPart' | 'differentPart'): AsyncIterable<readonly unknown[]> {
    let after: readonly SqlValue[] | null = null;
    do {
      const part: { readonly items: readonly unknown[]; readonly next: readonly SqlValue[] | null } = await this.#client.call(
        op,
        this.#identity,
        after,
      );
      yield part.items;
      after = part.next;
    } while (after !== null);
  }
}
