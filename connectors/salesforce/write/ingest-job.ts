import {
  type ConnectorContext,
  defaultRetry,
  RequestRefusedError,
  retrying,
  SyncError,
  type TargetMemory,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';
import { bodyOf, encodingOf } from '../bulk-query.ts';
import type { Client } from '../client.ts';
import { salesforceCode } from '../errors.ts';
import type { CollectionsContext } from './collections.ts';
import { type JobExperience, JobPace } from './job-pace.ts';

/** Bulk API 2.0 Developer Guide, "Ingest": a job takes one CSV file, and says for each of its rows what became of it. */
export interface IngestContext extends CollectionsContext {
  readonly context: ConnectorContext;
  /** Holds the job under way, so that who comes after a crash finds it. */
  readonly memory: TargetMemory | undefined;
  readonly experience?: JobExperience;
}

export interface JobState {
  readonly id: string;
  readonly state: 'Open' | 'UploadComplete' | 'InProgress' | 'JobComplete' | 'Failed' | 'Aborted';
  readonly numberRecordsProcessed?: number;
  readonly numberRecordsFailed?: number;
  readonly errorMessage?: string;
}

const uploadsMax = 3;

export type JobOperation = 'insert' | 'update' | 'upsert' | 'delete';

/**
 * Makes a job, and brings it the file, which is made on the way: its length is not known before (HTTP/1.1 sends it in chunks, as
 * Salesforce's own command line does). Its id is durable before the first row is uploaded: a job that a crash leaves behind could
 * otherwise go on after its records have been written anew, and put old values over new ones (P3).
 * Null when the Bulk API does not know the object.
 */
export async function uploadJob(
  ingest: IngestContext,
  operation: JobOperation,
  csv: () => Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    const id = await createJob(ingest, operation, signal);
    if (id === null) return null;
    await ingest.memory?.set(JSON.stringify({ job: id }));
    try {
      await upload(ingest, id, csv, signal);
      return id;
    } catch (error) {
      if (signal.aborted) throw error;
      // A file is taken once: whether this one was, nobody can tell, so another job begins anew, when this one has surely ended.
      await endJobLeftBehind(ingest, signal, id);
      if (!(error instanceof TransientError) || attempt >= uploadsMax) throw error;
    }
  }
}

async function createJob(
  { client, plan, to }: IngestContext,
  operation: JobOperation,
  signal: AbortSignal,
): Promise<string | null> {
  const about = `${operation} of ${plan.object} by the Bulk API`;
  try {
    const body = {
      object: plan.object,
      operation,
      ...(operation === 'upsert' ? { externalIdFieldName: plan.key!.name } : {}),
      ...(to.assignmentRule.startsWith('01Q') && operation !== 'delete' ? { assignmentRuleId: to.assignmentRule } : {}),
      contentType: 'CSV',
      columnDelimiter: 'COMMA',
      lineEnding: 'LF',
    };
    const reply = await client.request({ method: 'POST', path: '/jobs/ingest', body, replies: true, about, signal });
    const { id } = reply.body as { id?: unknown };
    if (typeof id !== 'string') throw new UnexpectedReplyError(`${about}: the reply names no job`);
    return id;
  } catch (error) {
    if (/^INVALID_?ENTITY$/.test(salesforceCode(error) ?? '')) return null;
    throw error;
  }
}

async function upload(
  { client, plan }: IngestContext,
  id: string,
  csv: () => Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const about = `uploading ${plan.object} records to Bulk job ${id}`;
  const content = { type: 'text/csv', body: csv };
  await client.request({ method: 'PUT', path: `/jobs/ingest/${id}/batches`, content, repeatable: false, about, signal });
  try {
    await setState(client, id, 'UploadComplete', about, signal);
  } catch (error) {
    // When only the reply was lost the job is on its way.
    if (signal.aborted || !(error instanceof SyncError) || (await jobState(client, id, signal)).state === 'Open') throw error;
  }
}

function setState(client: Client, id: string, state: 'UploadComplete' | 'Aborted', about: string, signal: AbortSignal) {
  return client.request({ method: 'PATCH', path: `/jobs/ingest/${id}`, body: { state }, repeatable: false, about, signal });
}

async function jobState(client: Client, id: string, signal: AbortSignal): Promise<JobState> {
  const about = `state of Bulk job ${id}`;
  const { body } = await client.request({ method: 'GET', path: `/jobs/ingest/${id}`, replies: true, about, signal });
  if (typeof (body as JobState | undefined)?.state !== 'string')
    throw new UnexpectedReplyError(`${about}: the reply has no state`);
  return body as JobState;
}

/**
 * Waits until the org has done with a job.
 * @param records  in it, when that is known
 */
export async function awaitJob(
  { client, context, experience }: IngestContext,
  id: string,
  signal: AbortSignal,
  records = 0,
): Promise<JobState> {
  const { clock, random } = context;
  const pace = new JobPace(records, clock.now(), experience);
  for (let waitMs = pace.firstWaitMs(); ; ) {
    await clock.sleep(waitMs, signal);
    // A job may run for an hour: a moment's trouble while it is asked must not let it go out of sight.
    const job = await retrying(() => jobState(client, id, signal), { clock, random, policy: defaultRetry, signal });
    if (job.state === 'JobComplete') pace.ended(clock.now());
    if (job.state === 'JobComplete' || job.state === 'Failed' || job.state === 'Aborted') return job;
    if (job.state === 'Open') throw new TransientError(`Bulk job ${id} is open again`);
    waitMs = pace.nextWaitMs(job.numberRecordsProcessed ?? 0, clock.now());
  }
}

/** The bytes of one of a job's result files. */
export async function* resultFile(
  { client, context, plan }: IngestContext,
  id: string,
  which: 'successfulResults' | 'failedResults',
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const about = `reading ${which} of Bulk job ${id}`;
  const response = await client.open({
    method: 'GET',
    path: `/jobs/ingest/${id}/${which}`,
    headers: { accept: 'text/csv', 'accept-encoding': await encodingOf(client) },
    about,
    signal,
  });
  yield* bodyOf(context, response, plan.object);
}

/**
 * Ends what a crash, a stop or a lost connection has left behind: an open job is aborted, any other awaited. What it did is not
 * asked: the engine sends its records again, and they meet their external ids.
 */
export async function endJobLeftBehind(ingest: IngestContext, signal: AbortSignal, known?: string): Promise<void> {
  const { client, context, memory } = ingest;
  const kept = (await memory?.get()) ?? null;
  const id = kept === null ? known : (JSON.parse(kept) as { job: string }).job;
  if (id === undefined) return;
  try {
    const { state } = await jobState(client, id, signal);
    context.log.info({ connection: context.connection, job: id, state }, 'a Bulk job was left behind');
    if (state === 'Open') {
      await setState(client, id, 'Aborted', `aborting Bulk job ${id}`, signal);
    } else if (state === 'UploadComplete' || state === 'InProgress') {
      await awaitJob(ingest, id, signal);
    }
  } catch (error) {
    // Somebody deleted it, or the org is another one now: nothing can come of it any more.
    if (!(error instanceof RequestRefusedError) || !/^(NOT_FOUND|HTTP_404|HTTP_410)$/.test(salesforceCode(error) ?? ''))
      throw error;
  }
  await memory?.set(null);
}
