import { numberParameter, textParameter } from '../faults/fault-list.ts';
import type { FiredFault } from '../faults/types.ts';
import type { ApiReply, ApiRequest, Handler } from '../http/api-types.ts';
import type { EmulatorContext } from '../http/context.ts';
import { badRequest, notFound } from '../http/errors.ts';
import { asRecord } from '../http/record-body.ts';
import { Upload } from '../http/request-body.ts';
import { SalesforceError } from '../org/types.ts';
import { briefFacts, createdFacts, fullFacts, listedFacts } from './ingest-facts.ts';
import { tooLarge } from './ingest-jobs.ts';
import type { IngestResult } from './ingest-results.ts';
import type { IngestJob, IngestTrouble } from './ingest-types.ts';
import { readMultipart } from './read-multipart.ts';
import { readNewJob } from './read-new-job.ts';

/** `POST /jobs/ingest` (Bulk API 2.0 Developer Guide, "Create a Job"); as multipart with the content, which completes the upload. */
export const createJob: Handler = async (request, context) => {
  const { body } = request;
  if (!(body instanceof Upload)) {
    const job = context.ingest.create(readNewJob(asRecord(body), request, context));
    context.ingest.trouble(job.id, troubleOf(request.faults));
    return { status: 200, body: createdFacts(job) };
  }
  if (!/^multipart\/form-data\b/i.test(body.contentType)) throw unsupported(body);
  const parts = await readMultipart(body);
  const job = context.ingest.create(readNewJob(asRecord(parts.job), request, context));
  await context.ingest.receive(job.id, only(parts.content));
  return completed(job, request, context);
};

async function* only(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content;
}

/** `PUT /jobs/ingest/750…/batches`: 201 and nothing to say. */
export const uploadContent: Handler = async (request, context) => {
  const job = jobOf(request, context);
  const upload = request.body as Upload;
  if (!/^text\/csv\b/i.test(upload.contentType)) throw unsupported(upload);
  const { bytesMax } = context.ingest;
  if ((upload.contentLength ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const failed = request.faults.find((fault) => fault.kind === 'upload-failed');
  await context.ingest.receive(job.id, failed ? breakingOff(upload.content(), failed) : upload.content());
  return { status: 201 };
};

const unsupported = ({ contentType }: Upload) =>
  new SalesforceError('UNSUPPORTED_MEDIA_TYPE', `Content type ${contentType} not supported.`, { httpStatus: 415 });

/** An upload that the server loses on the way: nothing of it is kept. */
async function* breakingOff(content: AsyncIterable<Uint8Array>, fault: FiredFault): AsyncGenerator<Uint8Array> {
  let left = numberParameter(fault, 'afterBytes', 0);
  for await (const chunk of content) {
    if (chunk.length > left) break;
    left -= chunk.length;
    yield chunk;
  }
  const httpStatus = numberParameter(fault, 'status', 500);
  throw new SalesforceError('UNKNOWN_EXCEPTION', 'An unexpected error occurred while reading the content', { httpStatus });
}

/** `PATCH /jobs/ingest/750…` with `{"state": "UploadComplete"}` or `{"state": "Aborted"}`. */
export const closeOrAbortJob: Handler = (request, context) => {
  const job = jobOf(request, context);
  const { state } = asRecord(request.body);
  if (state === 'UploadComplete') return completed(job, request, context);
  if (state !== 'Aborted') throw badRequest('INVALIDJOBSTATE', 'A job can only be set to UploadComplete or Aborted');
  context.ingest.abort(job.id);
  return { status: 200, body: briefFacts(job) };
};

function completed(job: IngestJob, request: ApiRequest, { ingest }: EmulatorContext): ApiReply {
  if (job.state === 'Open') ingest.trouble(job.id, troubleOf(request.faults));
  ingest.complete(job.id);
  // However quick the server is: this is what the request did.
  return { status: 200, body: { ...briefFacts(job), state: 'UploadComplete' } };
}

/** `GET /jobs/ingest/750…` */
export const getJob: Handler = (request, context) => {
  const job = jobOf(request, context);
  context.ingest.trouble(job.id, troubleOf(request.faults));
  context.ingest.poll(job.id);
  return { status: 200, body: fullFacts(job) };
};

/** `DELETE /jobs/ingest/750…`: 204, unless the job is open or being worked on. */
export const deleteJob: Handler = (request, context) => {
  context.ingest.delete(jobOf(request, context).id);
  return { status: 204 };
};

const listPageJobs = 1000;

/** `GET /jobs/ingest`: all jobs, 1,000 a page. */
export const listJobs: Handler = ({ query, version }, { ingest }) => {
  const locator = query.get('queryLocator') ?? '0';
  if (!/^\d{1,9}$/.test(locator)) throw badRequest('INVALID_QUERY_LOCATOR', 'invalid query locator');
  const jobType = query.get('jobType') ?? 'V2Ingest';
  const concurrency = query.get('concurrencyMode')?.toLowerCase() ?? 'parallel';
  const chunked = query.get('isPkChunkingEnabled')?.toLowerCase() === 'true';
  const jobs = jobType === 'V2Ingest' && concurrency === 'parallel' && !chunked ? ingest.list() : [];
  const start = Number(locator);
  const end = start + listPageJobs;
  const more = new URLSearchParams(query);
  more.set('queryLocator', String(end));
  const done = end >= jobs.length;
  const nextRecordsUrl = done ? null : `/services/data/${version.text}/jobs/ingest?${more}`;
  return { status: 200, body: { done, records: jobs.slice(start, end).map(listedFacts), nextRecordsUrl } };
};

const results =
  (which: IngestResult): Handler =>
  async (request, context) => {
    const file = await context.ingest.results(jobOf(request, context).id, which);
    return { status: 200, headers: { 'Content-Type': 'text/csv' }, file };
  };

/** `GET /jobs/ingest/750…/successfulResults` and its siblings. */
export const successfulResults = results('successful');
export const failedResults = results('failed');
export const unprocessedRecords = results('unprocessed');

function jobOf({ params }: ApiRequest, { ingest }: EmulatorContext): IngestJob {
  const job = ingest.find(params.id as string);
  if (!job) throw notFound();
  return job;
}

const retriesMax = 20;

/** What the faults that struck a request do to its job. */
function troubleOf(faults: readonly FiredFault[]): IngestTrouble {
  const trouble: IngestTrouble = {};
  for (const fault of faults) {
    if (fault.kind === 'job-failed' || fault.kind === 'job-aborted') {
      const failed = fault.kind === 'job-failed';
      trouble.end = {
        state: failed ? 'Failed' : 'Aborted',
        afterRecords: numberParameter(fault, 'afterRecords', 0),
        errorMessage: textParameter(fault, 'errorMessage', `InternalServerError : Retried more than ${retriesMax} times`),
        retries: failed ? numberParameter(fault, 'retries', retriesMax) : 0,
      };
    } else if (fault.kind === 'job-slow') {
      trouble.delayMs = numberParameter(fault, 'delayMs', 0);
    } else if (fault.kind === 'row-errors') {
      trouble.rows = {
        share: numberParameter(fault, 'share', 1),
        seed: numberParameter(fault, 'seed', 1),
        code: textParameter(fault, 'code', 'UNABLE_TO_LOCK_ROW'),
        message: textParameter(fault, 'message', 'unable to obtain exclusive access to this record or 1 records'),
        fields: textParameter(fault, 'fields', ''),
      };
    }
  }
  return trouble;
}
