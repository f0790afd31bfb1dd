import {
  type Block,
  cellValue,
  type FieldSchema,
  keyOf,
  NO_STAMP,
  newRow,
  type RejectedRow,
  type Rejection,
} from '@tidemark/core';
import { CopyEncoder, type EncodedColumn, type PreparedBlock, type Refusal } from './copy-encoder.ts';
import { type Client, copyIn } from './driver.ts';
import { copyLineOf, isAboutARecord, nulRejection, rejectionOf } from './errors.ts';
import { type Layout, PLACE, STAMP } from './layout.ts';

/** Bytes of one COPY. Its blocks are kept until it has succeeded, so this bounds the memory of a load (P9). */
const STRETCH_BYTES = 8 * 1024 * 1024;

const STAMP_FIELD: FieldSchema = { name: STAMP, type: 'datetime', nullable: true };

/** A row by its block and number, for when a stretch has to be sent again without its bad rows. */
interface RowAt {
  readonly block: PreparedBlock;
  readonly row: number;
}

export type Reject = (rows: readonly RejectedRow[]) => Promise<void>;

/**
 * Streams the blocks of a page into the staging table, a stretch at a time, each behind a savepoint: when the database refuses
 * a row, the stretch is taken back and sent again around the row, from the blocks that were kept.
 */
export class PageWriter {
  readonly #columns: readonly EncodedColumn[];
  readonly #layout: Layout;
  readonly #keyFields: readonly string[];
  readonly #stampColumn: number;
  readonly #copy: string;
  #nextPlace: number;

  constructor(layout: Layout, keyFields: readonly string[], stampColumn: number, staging: string, nextPlace: number) {
    this.#layout = layout;
    this.#keyFields = keyFields;
    this.#stampColumn = stampColumn;
    this.#nextPlace = nextPlace;
    this.#columns = [
      ...layout.columns.map(({ field, baseType, isKey }) => ({ field, binary: baseType === 'bytea', isKey })),
      { field: STAMP_FIELD, binary: false, isKey: false, instead: new Date(NO_STAMP).toISOString() },
    ];
    const names = [PLACE, ...layout.columns.map(({ name }) => name), STAMP];
    this.#copy = `COPY ${staging} (${names.join(', ')}) FROM STDIN`;
  }

  async write(
    client: Client,
    blocks: AsyncIterable<Block>,
    reject: Reject,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    const iterator = blocks[Symbol.asyncIterator]();
    const counts = { rows: 0, rejected: 0 };
    let ended = false;
    try {
      while (!ended) {
        const stretch = new Stretch(iterator, this.#newEncoder(), (block) => this.#columnsOf(block), signal);
        const sent = await this.#send(client, stretch);
        ended = stretch.ended;
        const refused: RejectedRow[] = stretch.refused.map(({ at, reason }) => this.#rejected(at, reason));
        if (sent instanceof Error) await this.#sendAround(client, stretch.sendable(), sent, refused);
        this.#nextPlace = Math.max(this.#nextPlace, stretch.encoder.place);
        if (refused.length > 0) await reject(refused);
        counts.rows += stretch.rows - refused.length;
        counts.rejected += refused.length;
      }
    } finally {
      if (!ended) await iterator.return?.();
    }
    return counts;
  }

  #newEncoder(): CopyEncoder {
    return new CopyEncoder(this.#columns, this.#nextPlace);
  }

  /** The schema's fields, then the stamp, as in the COPY. */
  #columnsOf(block: Block): Block {
    return {
      rowCount: block.rowCount,
      columns: [...block.columns.slice(0, this.#layout.columns.length), block.columns[this.#stampColumn]!],
    };
  }

  /** The error, when it is about a record; the stretch is taken back then. */
  async #send(client: Client, stretch: { chunks(): AsyncIterable<Buffer> | Iterable<Buffer> }): Promise<Error | null> {
    await client.query('SAVEPOINT stretch');
    try {
      await copyIn(client, this.#copy, stretch.chunks());
      await client.query('RELEASE SAVEPOINT stretch');
      return null;
    } catch (error) {
      if (!isAboutARecord(error)) throw error;
      await client.query('ROLLBACK TO SAVEPOINT stretch; RELEASE SAVEPOINT stretch');
      return error;
    }
  }

  /** Sends `rows` again, of which one was refused with `error`: what lies before it, then the row by itself, then the rest. */
  async #sendAround(client: Client, rows: readonly RowAt[], error: Error, refused: RejectedRow[]): Promise<void> {
    if (rows.length === 1) {
      refused.push(this.#rejected(rows[0]!, rejectionOf(error, this.#layout.columns)));
      return;
    }
    const line = copyLineOf(error);
    const known = line !== undefined && line <= rows.length ? line : undefined;
    const at = known === undefined ? rows.length >> 1 : Math.max(1, known - 1);
    for (const part of [rows.slice(0, at), rows.slice(at)]) {
      const encoder = this.#newEncoder();
      const again = await this.#send(client, { chunks: () => encodeRows(encoder, part) });
      this.#nextPlace = Math.max(this.#nextPlace, encoder.place);
      if (again !== null) await this.#sendAround(client, part, again, refused);
    }
  }

  #rejected({ block, row }: RowAt, reason: Rejection): RejectedRow {
    const values = newRow();
    this.#layout.columns.forEach(({ field }, c) => {
      values[field.name] = cellValue(block.block.columns[c]!, row, field);
    });
    const stamp = cellValue(block.block.columns[this.#layout.columns.length]!, row, STAMP_FIELD);
    return {
      key: keyOf(values, this.#keyFields) ?? '',
      row: values,
      stampMs: stamp === null ? NO_STAMP : Date.parse(String(stamp)),
      reason: reason.code === '22021' ? nulRejection(values, this.#layout.columns) : reason,
    };
  }
}

function* encodeRows(encoder: CopyEncoder, rows: readonly RowAt[]): Generator<Buffer> {
  for (const { block, row } of rows) {
    encoder.add(block, row);
    yield* encoder.takeFull();
  }
  yield* encoder.takeAll();
}

/** What one COPY takes: blocks until there are enough bytes. They are kept, in case it fails. */
class Stretch {
  readonly encoder: CopyEncoder;
  readonly refused: { readonly at: RowAt; readonly reason: Rejection }[] = [];
  /** Rows read. */
  rows = 0;
  /** No block is left. */
  ended = false;
  readonly #iterator: AsyncIterator<Block>;
  readonly #columnsOf: (block: Block) => Block;
  readonly #signal: AbortSignal;
  readonly #kept: PreparedBlock[] = [];

  constructor(iterator: AsyncIterator<Block>, encoder: CopyEncoder, columnsOf: (block: Block) => Block, signal: AbortSignal) {
    this.#iterator = iterator;
    this.encoder = encoder;
    this.#columnsOf = columnsOf;
    this.#signal = signal;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for (let bytes = 0; bytes < STRETCH_BYTES; ) {
      this.#signal.throwIfAborted();
      const next = await this.#iterator.next();
      if (next.done) {
        this.ended = true;
        break;
      }
      const prepared = this.encoder.prepare(this.#columnsOf(next.value));
      this.#kept.push(prepared);
      this.rows += next.value.rowCount;
      // The whole block before anything is handed over: a refusal by the server must not leave a part of it unseen.
      this.#encode(prepared);
      for (const chunk of this.encoder.takeFull()) {
        bytes += chunk.length;
        yield chunk;
      }
    }
    yield* this.encoder.takeAll();
  }

  /** Every row but those that were refused before they were sent, in order. */
  sendable(): RowAt[] {
    const refused = new Map<PreparedBlock, Set<number>>();
    for (const { at } of this.refused) refused.set(at.block, (refused.get(at.block) ?? new Set()).add(at.row));
    return this.#kept.flatMap((block) => {
      const without = refused.get(block);
      const rows = Array.from({ length: block.block.rowCount }, (_, row) => ({ block, row }));
      return without === undefined ? rows : rows.filter(({ row }) => !without.has(row));
    });
  }

  #encode(block: PreparedBlock): void {
    const { encoder } = this;
    const { rowCount } = block.block;
    for (let row = 0; row < rowCount; row++) {
      const refusal = encoder.add(block, row);
      if (refusal !== null) this.refused.push({ at: { block, row }, reason: refusals[refusal] });
    }
  }
}

const refusals: Readonly<Record<Refusal, Rejection>> = {
  nul: { code: '22021', message: 'a text holds a NUL character, which PostgreSQL cannot store' },
  key: { code: 'key_missing', message: 'a field of the key is null' },
};
