import { type Org, SalesforceError } from '../org/types.ts';
import { seededRandom } from '../seeded-random.ts';
import { delimiterOf, lineBreakOf } from './csv-format.ts';
import { planRows, type RowPlan } from './header.ts';
import { type IngestJob, type IngestTrouble, JobFailure } from './ingest-types.ts';
import { parseRows, type UploadedRow } from './parse-rows.ts';
import { createResultFile, quotedLine, type ResultFile } from './result-file.ts';
import { createRowScanner } from './row-scanner.ts';
import { shuffledIndexes } from './shuffle.ts';
import { readPart, type UploadBatch, type UploadFile } from './upload-file.ts';
import { writeRows } from './write-rows.ts';

/** Records of one transaction, and so of one call of a trigger. */
const transactionRecords = 200;

/** How far the work on a job has come, for its counters and for the files of its results. */
export interface IngestProgress {
  processed: number;
  failed: number;
  /** In the order in which they are worked on, which is not the upload's. */
  batches: readonly UploadBatch[];
  /** Batches that are done, and records of the next one that are. */
  batchesDone: number;
  recordsDone: number;
}

export interface ResultFiles {
  successful: ResultFile;
  failed: ResultFile;
}

/** What the server's work on one job needs. */
export interface WorkOrder {
  job: IngestJob;
  upload: UploadFile;
  org: Org;
  progress: IngestProgress;
  files: ResultFiles;
  trouble: IngestTrouble;
  /** Takes one batch off the org's daily allocation; false when it is used up. */
  spendBatch: () => boolean;
}

/**
 * Works on a job, a transaction of 200 records between two yields; `'batch'` after the last of a batch. Nothing of it is
 * asynchronous, so that whoever drives it decides what comes between.
 *
 * @throws {JobFailure}
 */
export function* work(order: WorkOrder): Generator<'slice' | 'batch', void> {
  const { job, upload, org, progress, files } = order;
  const object = org.schema.object(job.object);
  if (!object) throw new JobFailure(`InvalidEntity : Entity '${job.object}' is not supported by the Bulk API.`);
  const plan = planOf(upload, job, org);
  const refuse = rowTrouble(order.trouble);
  const delimiter = delimiterOf(job.columnDelimiter);
  const lineBreak = lineBreakOf(job.lineEnding);
  for (const batch of progress.batches) {
    if (!order.spendBatch()) throw new JobFailure('ExceededQuota : The daily limit of batches is reached', true);
    const { bytes, ends } = readBatch(upload, batch, delimiter);
    for (let from = 0; from < ends.length; from += transactionRecords) {
      const rows = slice(bytes, ends, from, Math.min(from + transactionRecords, ends.length), delimiter);
      const outcomes = writeRows(rows, plan, job, object, org, refuse);
      const lines = { successful: [] as string[], failed: [] as string[] };
      for (let index = 0; index < rows.length; index++) {
        const outcome = outcomes[index]!;
        const failed = 'error' in outcome;
        const facts = quotedLine([outcome.id, failed ? outcome.error : String(outcome.created)], delimiter, delimiter);
        lines[failed ? 'failed' : 'successful'].push(facts + quotedLine(rows[index]!.cells, delimiter, lineBreak));
      }
      files.successful.add(lines.successful);
      files.failed.add(lines.failed);
      progress.failed += lines.failed.length;
      progress.processed += rows.length;
      progress.recordsDone += rows.length;
      if (from + transactionRecords < ends.length) yield 'slice';
    }
    files.successful.flush();
    files.failed.flush();
    progress.batchesDone += 1;
    progress.recordsDone = 0;
    yield 'batch';
  }
}

/** Batches run side by side in Salesforce; here one after the other, in an order that follows from `seed`. */
export function orderOfBatches(upload: UploadFile, seed: number): UploadBatch[] {
  return shuffledIndexes(upload.batches.length, seededRandom(seed)).map((index) => upload.batches[index]!);
}

/** The files that a job's results go to. */
export function openResults(path: string, seed: number): ResultFiles {
  return {
    successful: createResultFile(`${path}.successful`, seed),
    failed: createResultFile(`${path}.failed`, seed + 1),
  };
}

function planOf(upload: UploadFile, job: IngestJob, org: Org): RowPlan {
  const other = job.lineEnding === 'LF' ? 'CRLF' : 'LF';
  if (upload.lineEndings.has(other)) {
    throw new JobFailure(
      `ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is ${job.lineEnding}`,
    );
  }
  return planRows(headerOf(upload, job), org.schema.object(job.object)!, org.schema, job);
}

/** The names in the first line, as uploaded. */
export function headerOf(upload: UploadFile, job: IngestJob): readonly string[] {
  const row = parseRows(
    readPart(upload.path, 0, upload.headerEnd),
    upload.headerEnd === 0 ? [] : [upload.headerEnd],
    delimiterOf(job.columnDelimiter),
  )[0];
  if (!row) throw new JobFailure('InvalidBatch : No header row found');
  if (row.malformed !== undefined) throw new JobFailure(`ClientInputError : ${row.malformed}`);
  return row.cells;
}

/** Rows that nobody worked on, a batch at a time, as results have them. */
export function* unprocessedLines(upload: UploadFile, job: IngestJob, progress: IngestProgress): Generator<string[]> {
  const delimiter = delimiterOf(job.columnDelimiter);
  const lineBreak = lineBreakOf(job.lineEnding);
  for (const [index, batch] of progress.batches.entries()) {
    if (index < progress.batchesDone) continue;
    const { bytes, ends } = readBatch(upload, batch, delimiter);
    const done = index === progress.batchesDone ? progress.recordsDone : 0;
    yield slice(bytes, ends, done, ends.length, delimiter).map(({ cells }) => quotedLine(cells, delimiter, lineBreak));
  }
}

function readBatch(upload: UploadFile, batch: UploadBatch, delimiter: string): { bytes: Buffer; ends: number[] } {
  const bytes = readPart(upload.path, batch.start, batch.end);
  const ends: number[] = [];
  const scanner = createRowScanner(delimiter.charCodeAt(0));
  const onRow = (end: number) => {
    ends.push(end);
  };
  scanner.scan(bytes, onRow);
  scanner.end(onRow);
  return { bytes, ends };
}

function slice(bytes: Buffer, ends: readonly number[], from: number, to: number, delimiter: string): UploadedRow[] {
  if (from >= to) return [];
  const start = from === 0 ? 0 : ends[from - 1]!;
  const own = ends.slice(from, to).map((end) => end - start);
  return parseRows(bytes.subarray(start, ends[to - 1]), own, delimiter);
}

function rowTrouble({ rows }: IngestTrouble): () => SalesforceError | undefined {
  if (!rows) return () => undefined;
  const random = seededRandom(rows.seed);
  const fields = rows.fields === '' ? [] : rows.fields.split(',');
  return () => (random() < rows.share ? new SalesforceError(rows.code, rows.message, { fields }) : undefined);
}
