import { textParameter } from '../faults/fault-list.ts';
import type { ApiRequest, Handler } from '../http/api-types.ts';
import type { EmulatorContext } from '../http/context.ts';
import { restDatetime } from '../http/dates.ts';
import { badRequest, notFound } from '../http/errors.ts';
import { asRecord } from '../http/record-body.ts';
import { checkBulkQuery } from './check-query.ts';
import { isDelimiter } from './csv-format.ts';
import { isFinal, type QueryJob } from './query-jobs.ts';

/** `POST /jobs/query` (Bulk API 2.0 Developer Guide, "Create a Query Job"). */
export const createJob: Handler = (request, context) => {
  const body = asRecord(request.body);
  const { operation, query, contentType = 'CSV', columnDelimiter = 'COMMA', lineEnding = 'LF' } = body;
  if (operation !== 'query' && operation !== 'queryAll') throw badRequest('API_ERROR', `Unknown operation: ${String(operation)}`);
  if (typeof query !== 'string' || query.trim() === '') throw badRequest('API_ERROR', 'query is required');
  if (contentType !== 'CSV') throw badRequest('API_ERROR', `Unsupported contentType: ${String(contentType)}`);
  if (typeof columnDelimiter !== 'string' || !isDelimiter(columnDelimiter)) {
    throw badRequest('API_ERROR', `Unknown columnDelimiter: ${String(columnDelimiter)}`);
  }
  if (lineEnding !== 'LF' && lineEnding !== 'CRLF') throw badRequest('API_ERROR', `Unknown lineEnding: ${String(lineEnding)}`);
  const object = checkBulkQuery(query, context.org.schema);
  if (!context.limits.DailyBulkV2QueryJobs.spend()) {
    throw badRequest('LIMIT_EXCEEDED', 'Daily limit of Bulk API 2.0 query jobs exceeded');
  }
  const job = context.jobs.create({
    operation,
    object: object.name,
    query,
    apiVersion: request.version.number,
    columnDelimiter,
    lineEnding,
    userId: request.userId,
  });
  // A new job is told without its counters.
  return { status: 200, body: { ...facts(job), lineEnding, columnDelimiter } };
};

/** `GET /jobs/query/750…` */
export const getJob: Handler = (request, context) => {
  const job = jobOf(request, context);
  const failed = request.faults.find((fault) => fault.kind === 'job-failed');
  if (failed && !isFinal(job.state)) {
    context.jobs.fail(job, textParameter(failed, 'errorMessage', 'InternalServerError : Retried more than 15 times'));
  }
  if (request.faults.some((fault) => fault.kind === 'job-aborted') && !isFinal(job.state)) context.jobs.abort(job);
  context.jobs.poll(job.id);
  return { status: 200, body: fullFacts(job) };
};

/** `PATCH /jobs/query/750…` with `{"state": "Aborted"}`. */
export const abortOrCloseJob: Handler = (request, context) => {
  const job = jobOf(request, context);
  if (asRecord(request.body).state !== 'Aborted') throw badRequest('INVALIDJOBSTATE', 'A query job can only be set to Aborted');
  if (isFinal(job.state)) {
    const name = job.state === 'JobComplete' ? 'Completed' : job.state;
    throw badRequest('INVALIDJOBSTATE', `Aborting already ${name} Job not allowed`);
  }
  context.jobs.abort(job);
  return { status: 200, body: facts(job) };
};

/** `DELETE /jobs/query/750…`: 204, once the job has ended. */
export const deleteJob: Handler = (request, context) => {
  const job = jobOf(request, context);
  if (!isFinal(job.state)) {
    throw badRequest('API_ERROR', 'Error encountered when deleting the job because the job is not terminated');
  }
  context.jobs.delete(job);
  return { status: 204 };
};

const listPageJobs = 1000;

/** `GET /jobs/query`: all jobs, 1,000 a page. */
export const listJobs: Handler = (request, context) => {
  const wanted = request.query.get('jobType');
  const jobs = wanted !== null && wanted !== 'V2Query' ? [] : context.jobs.list().filter((job) => job.userId === request.userId);
  const start = Number(request.query.get('queryLocator') ?? 0) || 0;
  const end = start + listPageJobs;
  const done = end >= jobs.length;
  const nextRecordsUrl = done ? null : `/services/data/${request.version.text}/jobs/query?queryLocator=${end}`;
  return { status: 200, body: { done, records: jobs.slice(start, end).map(listedFacts), nextRecordsUrl } };
};

/** Results hold what their maker could see, so nobody else gets at them. */
export function jobOf(request: ApiRequest, { jobs }: EmulatorContext): QueryJob {
  const job = jobs.find(request.params.id as string);
  if (!job || job.userId !== request.userId) throw notFound();
  return job;
}

/** What every reply about a job says, in the order of recorded ones. */
function facts(job: QueryJob): Record<string, unknown> {
  return {
    id: job.id,
    operation: job.operation,
    object: job.object,
    createdById: job.userId,
    createdDate: restDatetime(job.createdAtMs),
    systemModstamp: restDatetime(job.changedAtMs),
    state: job.state,
    concurrencyMode: 'Parallel',
    contentType: 'CSV',
    apiVersion: job.apiVersion,
  };
}

const listedFacts = (job: QueryJob) => ({
  ...facts(job),
  jobType: 'V2Query',
  lineEnding: job.lineEnding,
  columnDelimiter: job.columnDelimiter,
});

const fullFacts = (job: QueryJob) => ({
  ...listedFacts(job),
  numberRecordsProcessed: job.rowsProcessed,
  retries: 0,
  totalProcessingTime: job.processingMs,
  isPkChunkingSupported: !/\b(LIMIT|ORDER\s+BY)\b/i.test(job.query),
  ...(job.state === 'Failed' ? { errorMessage: job.errorMessage } : {}),
});
