import {
  type Block,
  CheckpointExpiredError,
  type ConnectorContext,
  defaultRetry,
  type FieldSchema,
  RequestRefusedError,
  retrying,
  TransientError,
  TruncatedReplyError,
  UnexpectedReplyError,
} from '@tidemark/core';
import type { Client } from './client.ts';
import { type ScanPool, scanCsv } from './csv-scanner.ts';
import { blockOfScanned } from './csv-values.ts';
import { errorOfFailure, salesforceCode } from './errors.ts';
import { abortable } from './exchange.ts';

/** Bulk API 2.0 Developer Guide, "Query": a job that renders the whole answer, read page by page. */
export interface BulkJob {
  readonly id: string;
  /** Records in all its pages. */
  readonly records: number;
}

interface JobReply {
  readonly id?: string;
  readonly state?: string;
  readonly numberRecordsProcessed?: number;
  readonly errorMessage?: string;
}

export interface BulkContext {
  readonly client: Client;
  readonly context: ConnectorContext;
  readonly object: string;
}

const pollMsMin = 250;
const pollMsMax = 10_000;
/** A body of which nothing has come for so long will not go on. */
const stallMsMax = 60_000;

/** Null when the Bulk API does not know the object: then it is read by REST. */
export async function createJob({ client, object }: BulkContext, soql: string, signal: AbortSignal): Promise<string | null> {
  const about = `asking the Bulk API for ${object}`;
  try {
    const body = { operation: 'query', query: soql, contentType: 'CSV', columnDelimiter: 'COMMA', lineEnding: 'LF' };
    const reply = await client.request({ method: 'POST', path: '/jobs/query', body, about, signal });
    const { id } = reply.body as JobReply;
    if (id === undefined) throw new UnexpectedReplyError(`${about}: the reply names no job`);
    return id;
  } catch (error) {
    if (/^INVALID_?ENTITY$/.test(salesforceCode(error) ?? '')) return null;
    throw error;
  }
}

/**
 * Waits until a job is done.
 * @throws {CheckpointExpiredError} the job is no longer there.
 */
export async function awaitJob({ client, context, object }: BulkContext, id: string, signal: AbortSignal): Promise<BulkJob> {
  const about = `Bulk API query of ${object}`;
  for (let waitMs = pollMsMin; ; waitMs = Math.min(pollMsMax, waitMs * 1.5)) {
    // A job may have rendered for an hour: a moment's trouble while it is asked must not throw that away.
    const reply = await retrying(() => client.request({ method: 'GET', path: `/jobs/query/${id}`, about, signal }), {
      clock: context.clock,
      random: context.random,
      policy: defaultRetry,
      signal,
    }).catch((error: unknown) => {
      throw goneOr(error, id);
    });
    const { state, errorMessage, numberRecordsProcessed } = reply.body as JobReply;
    if (state === 'JobComplete') {
      if (typeof numberRecordsProcessed !== 'number') throw new TruncatedReplyError(`${about}: the finished job has no count`);
      return { id, records: numberRecordsProcessed };
    }
    if (state === 'Aborted') throw new RequestRefusedError(`${about}: somebody aborted job ${id}`);
    if (state === 'Failed') {
      const message = `${about}: job ${id} failed: ${errorMessage ?? 'without a reason'}`;
      const hint = 'When the query is too large for the org, narrow it with where:';
      throw /^(Invalid|FeatureNotEnabled|ClientInput)/i.test(errorMessage ?? '')
        ? new RequestRefusedError(message, { hint })
        : new TransientError(message, { hint });
    }
    if (state !== 'UploadComplete' && state !== 'InProgress') throw new UnexpectedReplyError(`${about}: the job is ${state}`);
    await context.clock.sleep(waitMs, signal);
  }
}

/** One page of a job's result, its body not yet read. */
export interface ResultPage {
  readonly response: Response;
  /** Where the next page is; null after the last. */
  readonly next: string | null;
  readonly announced: number | null;
}

export async function openResultPage(
  { client, object }: BulkContext,
  id: string,
  locator: string | null,
  pageRows: number,
  signal: AbortSignal,
): Promise<ResultPage> {
  const query = new URLSearchParams({ maxRecords: String(pageRows), ...(locator === null ? {} : { locator }) });
  const response = await client
    .open({
      method: 'GET',
      path: `/jobs/query/${id}/results?${query}`,
      headers: { accept: 'text/csv', 'accept-encoding': await encodingOf(client) },
      about: `reading the Bulk API's result of ${object}`,
      signal,
    })
    .catch((error: unknown) => {
      throw goneOr(error, id);
    });
  const next = response.headers.get('sforce-locator');
  const announced = Number(response.headers.get('sforce-numberofrecords') ?? Number.NaN);
  return {
    response,
    // After the last page it is the word, not nothing.
    next: next === null || next === '' || next === 'null' ? null : next,
    announced: Number.isInteger(announced) ? announced : null,
  };
}

/**
 * The rows of a page. `counted` hears of their number once all have passed.
 * @throws {TruncatedReplyError} they are not as many as announced (P13).
 */
export async function* blocksOfPage(
  { context, object }: BulkContext,
  page: ResultPage,
  fields: readonly FieldSchema[],
  pool: ScanPool,
  counted: (rows: number) => void,
): AsyncGenerator<Block> {
  const header = fields.map((field) => field.name);
  let rows = 0;
  for await (const scanned of scanCsv(bodyOf(context, page.response, object), header, { pool })) {
    rows += scanned.rowCount;
    if (page.announced !== null && rows > page.announced) break;
    yield blockOfScanned(scanned, fields);
  }
  if (page.announced !== null && rows !== page.announced) {
    throw new TruncatedReplyError(`a page of ${object} holds ${rows} records, ${page.announced} were announced`);
  }
  counted(rows);
}

/** Compressing costs more time than it saves on a machine's own loopback, and much less on the way from an org. */
export async function encodingOf(client: Client): Promise<'identity' | 'gzip'> {
  const { instanceUrl } = await client.session();
  return new URL(instanceUrl).protocol === 'http:' ? 'identity' : 'gzip';
}

/** The body's pieces as they come; gives up on one that has stalled. */
export async function* bodyOf(context: ConnectorContext, response: Response, object: string): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const stalled = new AbortController();
  const done = new AbortController();
  let pieces = 0;
  const watch = async () => {
    for (let before = -1; before !== pieces; ) {
      before = pieces;
      await context.clock.sleep(stallMsMax, done.signal);
    }
    stalled.abort(new TransientError(`the result of ${object} has stalled`));
  };
  const watching = watch().catch(() => undefined);
  try {
    for (;;) {
      const { done: ended, value } = await abortable(reader.read(), stalled.signal);
      if (ended) return;
      pieces++;
      yield value;
    }
  } catch (error) {
    throw error === stalled.signal.reason ? error : errorOfFailure(error, `reading the result of ${object}`);
  } finally {
    done.abort();
    await watching;
    // Ends the transfer when the consumer stopped before the end.
    await reader.cancel().catch(() => undefined);
  }
}

/** Frees the org's storage. A job that cannot be deleted goes by itself after seven days. */
export async function deleteJob({ client, context }: BulkContext, id: string, signal: AbortSignal): Promise<void> {
  try {
    await client.request({ method: 'DELETE', path: `/jobs/query/${id}`, about: `deleting Bulk job ${id}`, signal });
  } catch (error) {
    signal.throwIfAborted();
    context.log.debug({ connection: context.connection, job: id, error: (error as Error).message }, 'a finished Bulk job stays');
  }
}

function goneOr(error: unknown, id: string): unknown {
  if (!/^(NOT_FOUND|HTTP_404|HTTP_409|HTTP_410)$/.test(salesforceCode(error) ?? '')) return error;
  return new CheckpointExpiredError(`Bulk job ${id} is gone: results are kept for seven days`, { cause: error });
}
