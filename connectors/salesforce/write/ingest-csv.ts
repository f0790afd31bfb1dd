import { TruncatedReplyError } from '@tidemark/core';
import { scanCsv } from '../csv-scanner.ts';
import { type Outcome, type Outgoing, refusedWith } from './outcome.ts';
import type { WriteColumn } from './write-plan.ts';
import { writtenText } from './write-values.ts';

/** What the Bulk API takes for null; the text itself cannot be written that way. */
const nullCell = '#N/A';

/** Bulk API 2.0 Developer Guide, "Limits": characters in a field, and in a record. */
const fieldCharactersMax = 131_072;
const recordCharactersMax = 400_000;

/** Characters that XML has no place for: what the Bulk API makes of them nobody documents. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unspeakable = /[\u0001-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** What most values have none of. Whatever of it a text has, it is looked at more closely. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const remarkable = /[",#\u0001-\u001f\ufffe\uffff]|^\s|\s$/;

/** A written value as a cell; null when no cell can hold it. */
export function cellOf(value: unknown): string | null {
  if (value === undefined) return '';
  const text = writtenText(value);
  if (text === null) return nullCell;
  if (text.length <= fieldCharactersMax && !remarkable.test(text)) return text;
  if (text.length > fieldCharactersMax || text.trim().toUpperCase() === nullCell || unspeakable.test(text)) return null;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A column of a job's file. */
export interface JobColumn {
  readonly name: string;
  readonly cell: (record: Outgoing) => string | null;
}

/**
 * The columns of a job of records that empty the same lookups. How a lookup is emptied by its parent's external id nobody documents:
 * there the lookup itself is the column.
 */
export function jobColumns(keyName: string, columns: readonly WriteColumn[], emptied: ReadonlySet<WriteColumn>): JobColumn[] {
  return [
    { name: keyName, cell: ({ key }) => cellOf(key) },
    ...columns.map((column) => ({
      name: emptied.has(column) ? column.parent!.idField : column.path,
      cell: ({ values }: Outgoing) => cellOf(values.get(column)),
    })),
  ];
}

/** Lookups by the parent's external id that a record empties. */
export function emptiedBy({ values }: Outgoing, columns: readonly WriteColumn[]): WriteColumn[] {
  return columns.filter((column) => column.parent !== null && values.get(column) === null);
}

/** One line of CSV with its end; null when the Bulk API cannot take this record. */
export function lineOf(record: Outgoing, columns: readonly JobColumn[]): string | null {
  let line = '';
  for (const [index, { cell }] of columns.entries()) {
    const text = cell(record);
    if (text === null) return null;
    line += index === 0 ? text : `,${text}`;
  }
  return line.length > recordCharactersMax ? null : `${line}\n`;
}

/** Columns that at least one of the records sets, in the plan's order. */
export function columnsOf(records: readonly Outgoing[], columns: readonly WriteColumn[]): WriteColumn[] {
  return columns.filter((column) => records.some(({ values }) => values.has(column)));
}

const created: Outcome = { ok: true, created: true };
const updated: Outcome = { ok: true, created: false };

/**
 * Reads a result file: of each row the key's cell, and what the file says of the record. Rows come in an order of their own.
 *
 * @param header  as uploaded, the key first
 * @returns how many rows there were
 */
export async function readResults(
  bytes: AsyncIterable<Uint8Array>,
  kind: 'successful' | 'failed',
  header: readonly string[],
  take: (key: string, outcome: Outcome) => void,
): Promise<number> {
  const columns = ['sf__Id', kind === 'successful' ? 'sf__Created' : 'sf__Error', ...header];
  const stride = columns.length * 2;
  let rows = 0;
  for await (const { rowCount, bytes: buffer, spans, offset, release } of scanCsv(bytes, columns)) {
    const cell = (row: number, column: number): string => {
      const at = offset + row * stride + column * 2;
      return spans[at]! < 0 ? '' : buffer.toString('utf8', spans[at]!, spans[at + 1]!);
    };
    for (let row = 0; row < rowCount; row++) {
      const told = cell(row, 1);
      take(cell(row, 2), kind === 'failed' ? readError(told) : told === 'true' ? created : updated);
    }
    rows += rowCount;
    release();
  }
  return rows;
}

/** `CODE:message:Field1,Field2 --`; messages hold colons of their own. */
function readError(told: string): Outcome {
  const match = /^(\w+):(.*?)(?::([\w.,]*))? ?--\s*$/s.exec(told);
  if (match === null) return refusedWith('UNKNOWN', told === '' ? 'the org refused the record without a reason' : told);
  const [, code, message, fields = ''] = match;
  return refusedWith(
    code!,
    message!,
    fields.split(',').filter((field) => field !== ''),
  );
}

/** What became of the records of a job, by the key's cell. */
export class JobResults {
  readonly #outcomes = new Map<string, Outcome>();
  readonly #about: string;

  constructor(about: string) {
    this.#about = about;
  }

  /** @throws {TruncatedReplyError} the file holds fewer rows than the job told. */
  async read(
    bytes: AsyncIterable<Uint8Array>,
    kind: 'successful' | 'failed',
    header: readonly string[],
    announced: number,
  ): Promise<void> {
    const count = await readResults(bytes, kind, header, (key, outcome) => this.#outcomes.set(key, outcome));
    if (count !== announced) throw new TruncatedReplyError(`${this.#about}: ${count} results came, ${announced} were announced`);
  }

  of(key: string): Outcome | undefined {
    return this.#outcomes.get(key);
  }
}
