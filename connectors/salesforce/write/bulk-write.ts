import { RequestRefusedError, retrying, TruncatedReplyError } from '@tidemark/core';
import { lostField } from './collections.ts';
import { columnsOf, emptiedBy, type JobColumn, JobFile, JobResults, jobColumns, lineOf, type SetColumn } from './ingest-csv.ts';
import { awaitJob, type IngestContext, type JobOperation, type JobState, resultFile, uploadJob } from './ingest-job.ts';
import { isWorthFewer, type Outcome, type Outgoing } from './outcome.ts';
import { writtenText } from './write-values.ts';

/** Reading a result again costs less than writing the records again. */
const resultRetry = { attemptsMax: 4, delayMs: 500, delayMsMax: 10_000 };

/** Where a record stands, what became of it; nothing of one that is to be sent another way. */
export type Outcomes = (Outcome | undefined)[];

/**
 * Writes records by jobs of the Bulk API. What it has not done is to be sent another way: records that no CSV can say, that a job
 * did not get to, that were locked, or that only REST may save as duplicates. Null when the Bulk API does not know the object.
 *
 * @param order  where the records stand, in the order in which they go
 */
export async function writeByBulk(
  ingest: IngestContext,
  operation: JobOperation,
  records: readonly Outgoing[],
  order: readonly number[],
  signal: AbortSignal,
): Promise<Outcomes | null> {
  const outcomes = records.map((): Outcome | undefined => undefined);
  for (const file of jobFiles(ingest, operation, records, order)) {
    if (!(await runJob(ingest, operation, records, file, outcomes, signal))) return null;
  }
  return outcomes;
}

/** The file of each job. Records that are in none are sent another way. */
export function* jobFiles(
  { plan, to }: Pick<IngestContext, 'plan' | 'to'>,
  operation: JobOperation,
  records: readonly Outgoing[],
  order: readonly number[],
): Generator<JobFile> {
  const columns = operation === 'delete' ? [] : columnsOf(records, plan.columns);
  const keyName = operation === 'upsert' || operation === 'insert' ? plan.key!.name : 'Id';
  const lookups = columns.filter(({ column }) => column.parent !== null);
  if (lookups.length === 0) return yield* files(records, order, jobColumns(keyName, columns, new Set()));
  const alike = new Map<string, { readonly emptied: ReadonlySet<SetColumn>; readonly order: number[] }>();
  for (const index of order) {
    const emptied = emptiedBy(records[index]!, lookups);
    const name = emptied.map(({ at }) => at).join();
    const group = alike.get(name) ?? { emptied: new Set(emptied), order: [] };
    alike.set(name, group);
    group.order.push(index);
  }
  for (const { emptied, order: group } of alike.values()) {
    // Few of a kind are not worth a job of their own.
    if (alike.size > 1 && group.length <= to.bulkAbove) continue;
    yield* files(records, group, jobColumns(keyName, columns, emptied));
  }
}

/** Files of no more than a job takes. Records that no CSV can say are in none. */
function* files(records: readonly Outgoing[], order: readonly number[], columns: readonly JobColumn[]): Generator<JobFile> {
  for (let at = 0; at < order.length; ) {
    if (lineOf(records[order[at]!]!, columns) === null) {
      at++;
      continue;
    }
    const file = new JobFile(records, order, at, columns);
    yield file;
    at = file.end;
  }
}

async function runJob(
  ingest: IngestContext,
  operation: JobOperation,
  records: readonly Outgoing[],
  file: JobFile,
  outcomes: Outcomes,
  signal: AbortSignal,
): Promise<boolean> {
  const id = await uploadJob(ingest, operation, () => file.pieces(), signal);
  if (id === null) return false;
  // The org works meanwhile.
  const { inJob, header } = file;
  const keys = inJob.map((index) => writtenText(records[index]!.key)!);
  const results = new JobResults(`Bulk job ${id}`, keys);
  const job = await awaitJob(ingest, id, signal, inJob.length);
  refuseWrongHeader(ingest, job);
  const { context } = ingest;
  if (job.state !== 'JobComplete') {
    const { state, errorMessage } = job;
    context.log.warn({ connection: context.connection, job: id, state, errorMessage }, 'a Bulk job did not come to its end');
  }
  const policy = { clock: context.clock, random: context.random, policy: resultRetry, signal };
  await retrying(() => readJob(ingest, operation, header, job, results, signal), policy);
  await ingest.memory?.set(null);
  const untold =
    operation === 'update' || operation === 'delete' ? doneWhenAll(job.numberRecordsProcessed === inJob.length) : undefined;
  for (const [line, index] of inJob.entries()) {
    // An update that is not among the failed has been done, when the job has got to all.
    const outcome = results.of(line) ?? untold;
    if (outcome !== undefined && !isForRest(outcome, ingest)) outcomes[index] = outcome;
  }
  return true;
}

const doneWhenAll = (all: boolean): Outcome | undefined => (all ? { ok: true, created: false } : undefined);

async function readJob(
  ingest: IngestContext,
  operation: JobOperation,
  header: readonly string[],
  { id, numberRecordsProcessed = 0, numberRecordsFailed = 0 }: JobState,
  results: JobResults,
  signal: AbortSignal,
): Promise<void> {
  const succeeded = numberRecordsProcessed - numberRecordsFailed;
  if (succeeded < 0) throw new TruncatedReplyError(`Bulk job ${id} tells of more failures than records`);
  if (numberRecordsFailed > 0) {
    await results.read(resultFile(ingest, id, 'failedResults', signal), 'failed', header, numberRecordsFailed);
  }
  // What an update or a delete did to the others is plain; an upsert says which records it made.
  if (succeeded > 0 && (operation === 'upsert' || operation === 'insert')) {
    await results.read(resultFile(ingest, id, 'successfulResults', signal), 'successful', header, succeeded);
  }
}

function isForRest(outcome: Outcome, { to }: IngestContext): boolean {
  return isWorthFewer(outcome) || (to.allowDuplicates && !outcome.ok && outcome.reason.code === 'DUPLICATES_DETECTED');
}

/** A field that was there when the org was described, and is not any more. */
function refuseWrongHeader({ plan }: IngestContext, { id, state, errorMessage = '' }: JobState): void {
  if (state !== 'Failed' || !/^InvalidBatch/i.test(errorMessage)) return;
  const field = /Field name not found : (\S+)/i.exec(errorMessage)?.[1];
  if (field === undefined) throw new RequestRefusedError(`Bulk job ${id} of ${plan.object} failed: ${errorMessage}`);
  throw lostField(plan.object, field);
}
