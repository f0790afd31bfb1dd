import type { Block, Rejection } from '@tidemark/core';
import type { BinaryEncoder } from './binary-encoder.ts';
import type { BlockSource } from './block-source.ts';
import type { CopyEncoder, Refusal } from './copy-encoder.ts';

/** Bytes of one COPY. Its blocks are kept until it has succeeded, so this bounds the memory of a load (P9). */
const STRETCH_BYTES = 8 * 1024 * 1024;
/** Bytes that are made of the next one while the server still works on the last. */
const AHEAD_BYTES = 3 * 1024 * 1024;

/** A row by its block and number, for when a stretch has to be sent again without its bad rows. */
export interface RowAt {
  readonly block: Block;
  readonly row: number;
}

interface RefusedRow {
  readonly at: RowAt;
  readonly reason: Rejection;
}

/** What one COPY takes: blocks until there are enough bytes. They are kept, in case it fails. */
export class Stretch {
  readonly encoder: CopyEncoder | BinaryEncoder;
  refused: readonly RefusedRow[] = [];
  /** Rows read. */
  rows = 0;
  /** It ended before a block that has no plain binary form. */
  metUnplain = false;
  readonly #source: BlockSource;
  readonly #kept: Block[] = [];
  #ready: Buffer[] = [];
  #bytes = 0;
  #hurried = false;

  constructor(source: BlockSource, encoder: CopyEncoder | BinaryEncoder) {
    this.#source = source;
    this.encoder = encoder;
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Begins before anybody takes the chunks; ends soon after `hurry`. */
  async fill(): Promise<void> {
    while (!this.#hurried && this.#bytes < AHEAD_BYTES && (await this.#more()));
  }

  hurry(): void {
    this.#hurried = true;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    do {
      const ready = this.#ready;
      this.#ready = [];
      yield* ready;
    } while (await this.#more());
    yield* this.encoder.takeAll();
  }

  /** Rows that binary takes without a look and that no text can hold are known only when they are encoded as text. */
  refuseAsText(newEncoder: () => CopyEncoder): void {
    this.refused = this.#kept.flatMap((block) => {
      const encoder = newEncoder();
      const refused: RefusedRow[] = [];
      encoder.addBlock(block, (row, refusal) => refused.push({ at: { block, row }, reason: refusals[refusal] }));
      encoder.recycle();
      return refused;
    });
  }

  /** Every row but those that were refused before they were sent, in order. */
  sendable(): RowAt[] {
    const refused = new Map<Block, Set<number>>();
    for (const { at } of this.refused) refused.set(at.block, (refused.get(at.block) ?? new Set()).add(at.row));
    return this.#kept.flatMap((block) => {
      const without = refused.get(block);
      const rows = Array.from({ length: block.rowCount }, (_, row) => ({ block, row }));
      return without === undefined ? rows : rows.filter(({ row }) => !without.has(row));
    });
  }

  /** Its blocks are in the table, or told as refused. */
  release(): void {
    for (const block of this.#kept) block.release?.();
    this.#kept.length = 0;
  }

  /** One block more, as a whole before any of it is handed over: a refusal by the server must not leave a part of it unseen. */
  async #more(): Promise<boolean> {
    if (this.#bytes >= STRETCH_BYTES || this.metUnplain) return false;
    const block = await this.#source.next();
    if (block === null) return false;
    const refused: RefusedRow[] = [];
    const taken = this.encoder.addBlock(block, (row, refusal) => {
      refused.push({ at: { block, row }, reason: refusals[refusal] });
    });
    if (!taken) {
      this.metUnplain = true;
      this.#source.putBack(block);
      return false;
    }
    this.#kept.push(block);
    if (refused.length > 0) this.refused = [...this.refused, ...refused];
    this.rows += block.rowCount;
    for (const chunk of this.encoder.takeFull()) {
      this.#bytes += chunk.length;
      this.#ready.push(chunk);
    }
    return true;
  }
}

const refusals: Readonly<Record<Refusal, Rejection>> = {
  nul: { code: '22021', message: 'a text holds a NUL character, which PostgreSQL cannot store' },
  key: { code: 'key_missing', message: 'a field of the key is null' },
};
