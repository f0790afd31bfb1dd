import { numberParameter, textParameter } from '../faults/fault-list.ts';
import type { ApiRequest, Handler } from '../http/api-types.ts';
import type { EmulatorContext } from '../http/context.ts';
import { badRequest, notFound } from '../http/errors.ts';
import { SalesforceError } from '../org/types.ts';
import { jobOf } from './job-routes.ts';
import type { QueryJob } from './query-jobs.ts';
import type { RenderedTable } from './render-csv.ts';

/** Result pages can be listed, and fetched in parallel, from this version on. */
const versionWithResultPages = 58;
const resultPagesListed = 5;

/** `GET /jobs/query/750…/results?maxRecords=&locator=` (Bulk API 2.0 Developer Guide, "Get Results for a Query Job"). */
export const jobResults: Handler = (request, context) => {
  const { result } = completeJob(request, context);
  const start = startRow(request, result);
  const short = request.faults.find((fault) => fault.kind === 'short-page');
  const rows = short ? Math.max(1, numberParameter(short, 'records', 1)) : pageRows(request, context);
  const end = Math.min(start + rows, result.rowCount);
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/csv',
      // The word, not an absent header: "null" ends the result.
      'Sforce-Locator': end >= result.rowCount ? 'null' : locatorOf(end),
      'Sforce-NumberOfRecords': reportedCount(end - start, request),
    },
    file: { path: result.path, head: result.head, start: result.offsetOf(start), end: result.offsetOf(end) },
  };
};

/** `GET /jobs/query/750…/resultPages`: where the next pages begin, five at a time. */
export const jobResultPages: Handler = (request, context) => {
  if (request.version.number < versionWithResultPages) throw notFound();
  const { job, result } = completeJob(request, context);
  const base = `/services/data/${request.version.text}/jobs/query/${job.id}`;
  const size = context.jobs.pageRows;
  const resultPages: { resultUrl: string }[] = [];
  let row = startRow(request, result);
  do {
    resultPages.push({ resultUrl: `${base}/results?locator=${locatorOf(row)}` });
    row += size;
  } while (row < result.rowCount && resultPages.length < resultPagesListed);
  const done = row >= result.rowCount;
  const more = done ? {} : { nextRecordsUrl: `${base}/resultPages?locator=${locatorOf(row)}` };
  return { status: 200, body: { resultPages, ...more, done } };
};

function completeJob(request: ApiRequest, context: EmulatorContext): { job: QueryJob; result: RenderedTable } {
  const job = jobOf(request, context);
  if (job.apiVersion !== request.version.number) {
    const message = `The job was created with API version ${job.apiVersion}.0; ask for its results with the same version`;
    throw new SalesforceError('API_ERROR', message, { httpStatus: 409 });
  }
  if (job.state !== 'JobComplete' || !job.result) {
    throw badRequest('INVALIDJOBSTATE', `Results are not available: the job is in state ${job.state}`);
  }
  return { job, result: job.result };
}

/** A locator is opaque to clients; it holds the row that its page begins with, so that it stays good as long as the job. */
const locatorOf = (row: number) => Buffer.from(String(row)).toString('base64url');

function startRow(request: ApiRequest, result: RenderedTable): number {
  const locator = request.query.get('locator');
  if (locator === null || locator === '') return 0;
  const expired = request.faults.find((fault) => fault.kind === 'expired-locator');
  const text = Buffer.from(locator, 'base64url').toString();
  if (expired || !/^\d{1,15}$/.test(text) || Number(text) > result.rowCount) {
    throw badRequest(
      'INVALID_QUERY_LOCATOR',
      expired ? textParameter(expired, 'message', 'invalid query locator') : 'invalid query locator',
    );
  }
  return Number(text);
}

function pageRows(request: ApiRequest, context: EmulatorContext): number {
  const asked = request.query.get('maxRecords');
  if (asked === null) return context.jobs.pageRows;
  if (!/^\d+$/.test(asked) || Number(asked) < 1) throw badRequest('API_ERROR', `Invalid value for maxRecords: ${asked}`);
  return Number(asked);
}

function reportedCount(rows: number, request: ApiRequest): string {
  const garbled = request.faults.find((fault) => fault.kind === 'garbled-count');
  if (!garbled) return String(rows);
  return textParameter(garbled, 'value', String(rows + numberParameter(garbled, 'add', 1)));
}
