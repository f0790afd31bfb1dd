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
const remarkable = /[",#\u0001-\u001f\ufffe\uffff]/;

/** Whether a text goes out as it stands: surely no blank at either end, and nothing remarkable between. */
function isPlain(text: string): boolean {
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  return first > 0x20 && first < 0x7f && last > 0x20 && last < 0x7f && !remarkable.test(text);
}

/** A written value as a cell; null when no cell can hold it. */
export function cellOf(value: unknown): string | null {
  if (value === undefined) return '';
  const text = writtenText(value);
  if (text === null) return nullCell;
  if (text.length <= fieldCharactersMax && isPlain(text)) return text;
  const isNull = text.includes('#') && text.trim().toUpperCase() === nullCell;
  if (text.length > fieldCharactersMax || isNull || unspeakable.test(text)) return null;
  if (text.includes('"')) return `"${text.replaceAll('"', '""')}"`;
  return /[,\r\n]|^\s|\s$/.test(text) ? `"${text}"` : text;
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
export function jobColumns(keyName: string, columns: readonly SetColumn[], emptied: ReadonlySet<SetColumn>): JobColumn[] {
  return [
    { name: keyName, cell: ({ key }) => cellOf(key) },
    ...columns.map((set) => ({
      name: emptied.has(set) ? set.column.parent!.idField : set.column.path,
      cell: ({ values }: Outgoing) => cellOf(values[set.at]),
    })),
  ];
}

/** Lookups by the parent's external id that a record empties. */
export function emptiedBy({ values }: Outgoing, lookups: readonly SetColumn[]): SetColumn[] {
  return lookups.filter(({ at }) => values[at] === null);
}

/** One line of CSV with its end; null when the Bulk API cannot take this record. */
export function lineOf(record: Outgoing, columns: readonly JobColumn[]): string | null {
  let line = '';
  for (let i = 0; i < columns.length; i++) {
    const text = columns[i]!.cell(record);
    if (text === null) return null;
    line += i === 0 ? text : `,${text}`;
  }
  return line.length > recordCharactersMax ? null : `${line}\n`;
}

/** A column that at least one record sets, and where its values stand. */
export interface SetColumn {
  readonly column: WriteColumn;
  readonly at: number;
}

/** Columns that at least one of the records sets, in the plan's order. */
export function columnsOf(records: readonly Outgoing[], columns: readonly WriteColumn[]): SetColumn[] {
  return columns.map((column, at) => ({ column, at })).filter(({ at }) => records.some(({ values }) => values[at] !== undefined));
}

/** Raw bytes in a job: 150 MB are allowed, after they have been encoded in base64. UTF-8 takes up to three bytes a character. */
const charactersInJob = 33_000_000;

/** Of a file that goes out at once. */
const pieceCharacters = 128 * 1024;

/** The file of one job. It is never there as a whole: each piece is made when the one before it is on its way. */
export class JobFile {
  readonly header: readonly string[];
  readonly #records: readonly Outgoing[];
  readonly #order: readonly number[];
  readonly #from: number;
  readonly #columns: readonly JobColumn[];
  #made: { readonly inJob: readonly number[]; readonly end: number } | undefined;

  /**
   * @param order  where the records stand that may go by it
   * @param from   the first of `order` that does
   */
  constructor(records: readonly Outgoing[], order: readonly number[], from: number, columns: readonly JobColumn[]) {
    this.header = columns.map(({ name }) => name);
    this.#records = records;
    this.#order = order;
    this.#from = from;
    this.#columns = columns;
  }

  /** From the beginning, each time. */
  *pieces(): Generator<Uint8Array> {
    const inJob: number[] = [];
    let text = `${this.header.join(',')}\n`;
    let characters = 0;
    let at = this.#from;
    for (; at < this.#order.length; at++) {
      const index = this.#order[at]!;
      const line = lineOf(this.#records[index]!, this.#columns);
      if (line === null) continue;
      if (inJob.length > 0 && characters + line.length > charactersInJob) break;
      inJob.push(index);
      characters += line.length;
      text += line;
      if (text.length < pieceCharacters) continue;
      yield Buffer.from(text);
      text = '';
    }
    if (text !== '') yield Buffer.from(text);
    this.#made = { inJob, end: at };
  }

  /** Where the records stand that go by it, in the order of its lines. */
  get inJob(): readonly number[] {
    return this.#whole().inJob;
  }

  /** Where in the order the next file begins. */
  get end(): number {
    return this.#whole().end;
  }

  #whole() {
    if (this.#made === undefined) for (const _ of this.pieces());
    return this.#made!;
  }
}

const letterT = 0x74;

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
    const textAt = (at: number): string => (spans[at]! < 0 ? '' : buffer.toString('utf8', spans[at]!, spans[at + 1]!));
    for (let row = 0, at = offset; row < rowCount; row++, at += stride) {
      const told = at + 2;
      // Of `true` and `false` the first letter is enough.
      const outcome = kind === 'failed' ? readError(textAt(told)) : buffer[spans[told]!] === letterT ? created : updated;
      take(textAt(at + 4), outcome);
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

/** What became of the records of a job. Results name them by the key's cell, and come in an order of their own. */
export class JobResults {
  readonly #about: string;
  readonly #indexes = new Map<string, number>();
  /** Further records with a key: an insert may have such. */
  readonly #twins = new Map<string, number[]>();
  readonly #outcomes: (Outcome | undefined)[];

  /** @param keys  of the records, in their order */
  constructor(about: string, keys: readonly string[]) {
    this.#about = about;
    this.#outcomes = new Array(keys.length);
    for (const [index, key] of keys.entries()) {
      if (!this.#indexes.has(key)) this.#indexes.set(key, index);
      else this.#twins.set(key, [...(this.#twins.get(key) ?? []), index]);
    }
  }

  /** @throws {TruncatedReplyError} the file holds fewer rows than the job told. */
  async read(
    bytes: AsyncIterable<Uint8Array>,
    kind: 'successful' | 'failed',
    header: readonly string[],
    announced: number,
  ): Promise<void> {
    const count = await readResults(bytes, kind, header, (key, outcome) => this.#put(key, outcome));
    if (count !== announced) throw new TruncatedReplyError(`${this.#about}: ${count} results came, ${announced} were announced`);
  }

  #put(key: string, outcome: Outcome): void {
    const index = this.#indexes.get(key);
    if (index === undefined) return;
    this.#outcomes[index] = outcome;
    if (this.#twins.size > 0) for (const twin of this.#twins.get(key) ?? []) this.#outcomes[twin] = outcome;
  }

  of(index: number): Outcome | undefined {
    return this.#outcomes[index];
  }
}
