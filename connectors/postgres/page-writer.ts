import {
  type Block,
  cellValue,
  type FieldSchema,
  InvariantError,
  keyOf,
  NO_STAMP,
  newRow,
  type RejectedRow,
  type Rejection,
} from '@tidemark/core';
import { BinaryEncoder } from './binary-encoder.ts';
import { BlockSource } from './block-source.ts';
import { type Cells, CopyEncoder, type EncodedColumn } from './copy-encoder.ts';
import { ChunkPool } from './copy-output.ts';
import { type Client, copyIn } from './driver.ts';
import { copyLineOf, isAboutARecord, nulRejection, rejectionOf } from './errors.ts';
import { type Layout, PLACE, STAMP } from './layout.ts';
import { type RowAt, Stretch } from './stretch.ts';

const STAMP_FIELD: FieldSchema = { name: STAMP, type: 'datetime', nullable: true };
const STAMP_TYPE = 'timestamp with time zone';

export type Reject = (rows: readonly RejectedRow[]) => Promise<void>;

type Encoder = CopyEncoder | BinaryEncoder;
type Chunks = AsyncIterable<Buffer> | Iterable<Buffer>;

/**
 * Streams the blocks of a page into the staging table, a stretch at a time, each behind a savepoint: when the database refuses
 * a row, the stretch is taken back and sent again around the row, from the blocks that were kept. A stretch is binary when all
 * that it holds is plain; what is not, and whatever is sent again, goes as text, so that the server's own rules decide (P2).
 */
export class PageWriter {
  readonly #columns: readonly EncodedColumn[];
  readonly #layout: Layout;
  readonly #keyFields: readonly string[];
  readonly #stampColumn: number;
  readonly #copy: string;
  readonly #pool = new ChunkPool();
  readonly #newBinary: ReturnType<typeof BinaryEncoder.of>;
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
    this.#newBinary = BinaryEncoder.of(this.#columns, [...layout.columns.map(({ baseType }) => baseType), STAMP_TYPE]);
    const names = [PLACE, ...layout.columns.map(({ name }) => name), STAMP];
    this.#copy = `COPY ${staging} (${names.join(', ')}) FROM STDIN`;
  }

  async write(
    client: Client,
    blocks: AsyncIterable<Block>,
    reject: Reject,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    const source = new BlockSource(blocks, (block) => this.#columnsOf(block), signal);
    const counts = { rows: 0, rejected: 0 };
    try {
      for (let stretch: Stretch | null = this.#newStretch(source, null); stretch !== null; ) {
        const current: Stretch = stretch;
        const begun: { next?: Stretch; filled?: Promise<void> } = {};
        // While the server ends this COPY the next is begun: neither has to wait for the other.
        const error = await this.#send(client, current.encoder, current.chunks(), () => {
          if (source.ended) return;
          begun.next = this.#newStretch(source, current);
          begun.filled = begun.next.fill();
          begun.filled.catch(() => {}); // it is awaited below, unless this COPY has failed by then
        });
        begun.next?.hurry();
        const refused = await this.#refusedOf(client, current, error);
        this.#nextPlace = current.encoder.place;
        if (refused.length > 0) await reject(refused);
        counts.rows += current.rows - refused.length;
        counts.rejected += refused.length;
        current.release();
        await begun.filled;
        stretch = begun.next ?? null;
        if (stretch?.isEmpty && source.ended) stretch = null;
      }
      return counts;
    } finally {
      await source.leave();
    }
  }

  /** Binary again after a stretch that could not be: rows that are not plain tend to be few. */
  #newStretch(source: BlockSource, last: Stretch | null): Stretch {
    const place = last === null ? this.#nextPlace : last.encoder.place;
    const binary = last?.metUnplain ? undefined : this.#newBinary?.(place, this.#pool);
    return new Stretch(source, binary ?? this.#newEncoder(place));
  }

  #newEncoder(place: number): CopyEncoder {
    return new CopyEncoder(this.#columns, place, this.#pool);
  }

  /** The schema's fields, then the stamp, as in the COPY. */
  #columnsOf(block: Block): Block {
    return {
      ...block,
      columns: [...block.columns.slice(0, this.#layout.columns.length), block.columns[this.#stampColumn]!],
    };
  }

  /** The error, when it is about a record; what was sent is taken back then. */
  async #send(client: Client, encoder: Encoder, chunks: Chunks, sent?: () => void): Promise<Error | null> {
    const format = encoder instanceof BinaryEncoder ? ' (FORMAT binary)' : '';
    await client.query('SAVEPOINT stretch');
    try {
      const rows = await copyIn(client, this.#copy + format, chunks, sent);
      // The server's own count of what it has taken (P13).
      if (rows !== encoder.rows) throw new InvariantError(`a COPY of ${encoder.rows} rows took ${rows}`);
      await client.query('RELEASE SAVEPOINT stretch');
    } catch (error) {
      if (!isAboutARecord(error)) throw error;
      await client.query('ROLLBACK TO SAVEPOINT stretch; RELEASE SAVEPOINT stretch');
      return error;
    }
    encoder.recycle();
    return null;
  }

  /** The rows of a stretch that the table does not take. When it was refused with `error`, the others are sent again. */
  async #refusedOf(client: Client, stretch: Stretch, error: Error | null): Promise<RejectedRow[]> {
    const binary = error !== null && stretch.encoder instanceof BinaryEncoder;
    if (binary) stretch.refuseAsText(() => this.#newEncoder(0));
    const refused = stretch.refused.map(({ at, reason }) => this.#rejected(at, reason));
    if (error === null) return refused;
    const rows = stretch.sendable();
    const asText = binary ? await this.#sendRows(client, rows) : error;
    if (asText !== null) await this.#sendAround(client, rows, asText, refused);
    return refused;
  }

  async #sendRows(client: Client, rows: readonly RowAt[]): Promise<Error | null> {
    const encoder = this.#newEncoder(this.#nextPlace);
    const error = await this.#send(client, encoder, encodeRows(encoder, rows));
    if (error === null) this.#nextPlace = encoder.place;
    return error;
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
      const again = await this.#sendRows(client, part);
      if (again !== null) await this.#sendAround(client, part, again, refused);
    }
  }

  #rejected({ block, row }: RowAt, reason: Rejection): RejectedRow {
    const values = newRow();
    this.#layout.columns.forEach(({ field }, c) => {
      values[field.name] = cellValue(block.columns[c]!, row, field);
    });
    const stamp = cellValue(block.columns[this.#layout.columns.length]!, row, STAMP_FIELD);
    return {
      key: keyOf(values, this.#keyFields) ?? '',
      row: values,
      stampMs: stamp === null ? NO_STAMP : Date.parse(String(stamp)),
      reason: reason.code === '22021' ? nulRejection(values, this.#layout.columns) : reason,
    };
  }
}

function* encodeRows(encoder: CopyEncoder, rows: readonly RowAt[]): Generator<Buffer> {
  let block: Block | undefined;
  let cells: readonly Cells[] = [];
  for (const at of rows) {
    if (at.block !== block) cells = encoder.cellsOf(at.block);
    block = at.block;
    encoder.add(cells, at.row);
    yield* encoder.takeFull();
  }
  yield* encoder.takeAll();
}
