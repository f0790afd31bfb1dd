import { blockOfRows, CheckpointExpiredError, type Page, TruncatedReplyError } from '@tidemark/core';
import { awaitJob, type BulkContext, blocksOfPage, createJob, deleteJob, openResultPage, type ResultPage } from './bulk-query.ts';
import { ScanPool } from './csv-scanner.ts';
import type { Dataset } from './dataset.ts';
import { salesforceCode } from './errors.ts';
import { queryPage, queryPart, readCount, rowOfRecord } from './queries.ts';
import { countText, datetime, selectText, text } from './soql.ts';
import type { Filter } from './user-query.ts';

export interface FullSource extends BulkContext {
  readonly dataset: Dataset;
  readonly filter: Filter | null;
  /** Nothing older than this by its stamp. */
  readonly startAtMs: number | null;
  readonly bulkAbove: number;
  readonly bulkPageRows: number;
  readonly restPageRows: number;
}

/** How far a full read has come. */
type Position =
  | { readonly by: 'rest'; readonly after: string | null; readonly done: boolean }
  | { readonly by: 'bulk'; readonly job: string; readonly locator: string | null; readonly rows: number; readonly done: boolean };

function conditions({ dataset, filter, startAtMs }: FullSource): (string | undefined)[] {
  const stamped = dataset.stampField !== undefined && startAtMs !== null;
  return [filter?.text(startAtMs), stamped ? `${dataset.stampField} >= ${datetime(startAtMs)}` : undefined];
}

/** Null when the org does not count that many in time. */
export async function countRecords(source: FullSource, signal: AbortSignal): Promise<number | null> {
  try {
    const { object } = source.dataset;
    return await readCount(source.client, countText(object, conditions(source)), `counting ${object}`, signal);
  } catch (error) {
    if (salesforceCode(error) === 'QUERY_TIMEOUT') return null;
    throw error;
  }
}

/** Roughly the API calls of a full read of so many records, with the closing delta. */
export function callsOfFullRead(source: FullSource, records: number): number {
  // The mark, the count that decides between the two ways, and the poll that brings what changed meanwhile.
  const around = 3;
  if (records <= source.bulkAbove) return around + Math.floor(records / source.restPageRows) + 1;
  // The job is made, asked after a few times while it renders, and deleted.
  const job = 5;
  return around + job + Math.ceil(records / source.bulkPageRows);
}

/** Every record once: by Bulk API 2.0 when there are many, by REST when there are few or it does not know the object. */
export async function* readFull(source: FullSource, resume: string | null, signal: AbortSignal): AsyncGenerator<Page> {
  const position = resume === null ? null : decodePosition(resume);
  if (position?.by === 'rest') {
    yield* readByRest(source, position, signal);
    return;
  }
  if (position !== null) {
    yield* readByBulk(source, position, signal);
    return;
  }
  const count = await countRecords(source, signal);
  const job = count === null || count > source.bulkAbove ? await createJob(source, bulkText(source), signal) : null;
  if (job === null) yield* readByRest(source, { by: 'rest', after: null, done: false }, signal);
  else yield* readByBulk(source, { by: 'bulk', job, locator: null, rows: 0, done: false }, signal);
}

/** @throws {CheckpointExpiredError} it was never one of ours. */
function decodePosition(text: string): Position {
  let position: Partial<Position> | null;
  try {
    position = JSON.parse(text) as Partial<Position> | null;
  } catch {
    position = null;
  }
  if (position?.by === 'rest' || position?.by === 'bulk') return position as Position;
  throw new CheckpointExpiredError('the position is not one of a Salesforce source');
}

/** Without an order: sorting keeps the Bulk API from splitting the work by primary key. */
function bulkText(source: FullSource): string {
  const { object, schema } = source.dataset;
  return selectText({ fields: schema.fields.map((field) => field.name), object, where: conditions(source) });
}

async function* readByBulk(
  source: FullSource,
  from: Extract<Position, { by: 'bulk' }>,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  const { fields } = source.dataset.schema;
  if (from.done) {
    await deleteJob(source, from.job, signal);
    return;
  }
  const job = await awaitJob(source, from.job, signal);
  const pool = new ScanPool();
  let rows = from.rows;
  const resumed = from.locator !== null;
  // Pages that the org did not count cannot be added to the rest: the job's own count would never be met.
  if (!Number.isInteger(rows)) throw new CheckpointExpiredError(`the pages of Bulk job ${from.job} were not counted`);
  const miscounted = (found: number) => {
    const message = `the pages of ${source.object} hold ${found} records, the job announced ${job.records}`;
    // Going on where this job was left would find the same again, for as long as it is kept.
    return resumed ? new CheckpointExpiredError(message) : new TruncatedReplyError(message);
  };
  // The next page is asked for while the consumer commits the last one, and not earlier: one page is under way at a time.
  let next: Promise<ResultPage> | undefined;
  try {
    for (let locator = from.locator, done = false; !done; ) {
      const page = await (next ?? openResultPage(source, job.id, locator, source.bulkPageRows, signal));
      next = undefined;
      let counted: number | null = null;
      const following = page.next;
      done = following === null;
      const expected = page.announced === null ? null : rows + page.announced;
      if (done && expected !== null && expected !== job.records) throw miscounted(expected);
      const blocks = blocksOfPage(source, page, fields, pool, (pageRows) => {
        counted = pageRows;
        if (done && rows + pageRows !== job.records) throw miscounted(rows + pageRows);
        if (done) return;
        next = openResultPage(source, job.id, following, source.bulkPageRows, signal);
        next.catch(() => undefined);
      });
      const position: Position = { by: 'bulk', job: job.id, locator: following, rows: expected ?? Number.NaN, done };
      yield { position: JSON.stringify(position), announced: page.announced, blocks };
      // A page that the consumer left before its end is not kept: its position must not be passed over.
      if (counted === null) throw new TruncatedReplyError(`a page of ${source.object} was not read to its end`);
      rows += counted;
      locator = following;
    }
    await deleteJob(source, job.id, signal);
  } finally {
    next?.then((page) => page.response.body?.cancel()).catch(() => undefined);
  }
}

/** Page after page by id. Each is a query of its own, so that nothing expires on the way. */
async function* readByRest(
  source: FullSource,
  from: Extract<Position, { by: 'rest' }>,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  const { client, dataset, restPageRows } = source;
  const { object, schema } = dataset;
  const about = `reading ${object}`;
  for (let { after, done } = from; !done; ) {
    const soql = selectText({
      fields: schema.fields.map((field) => field.name),
      object,
      where: [...conditions(source), after === null ? undefined : `Id > ${text(after)}`],
      orderBy: ['Id'],
      limit: restPageRows,
    });
    const { replies } = await client.composite([queryPart('query', soql, about)], signal);
    const page = queryPage(replies[0]!, about);
    const { records } = page;
    done = page.nextUrl === null && records.length < restPageRows;
    after = records.length === 0 ? after : String(records.at(-1)!.Id);
    const position: Position = { by: 'rest', after, done };
    const block = blockOfRows(
      records.map((record) => rowOfRecord(record, schema.fields)),
      schema.fields,
    );
    yield { position: JSON.stringify(position), announced: records.length, blocks: only(block) };
  }
}

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item;
}
