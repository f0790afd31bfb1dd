import { RequestRefusedError, retrying, TruncatedReplyError } from '@tidemark/core';
import { lostField } from './collections.ts';
import { columnsOf, emptiedBy, type JobColumn, JobFile, JobResults, jobColumns, lineOf, type SetColumn } from './ingest-csv.ts';
import { awaitJob, type IngestContext, type JobOperation, type JobState, resultFile, uploadJob } from './ingest-job.ts';
import { isWorthFewer, type Outcome, type Outgoing } from './outcome.ts';
import { writtenText } from './write-values.ts';

/** Reading a result again costs less than writing the records again. */
const resultRetry = { attemptsMax: 4, delayMs: 500, delayMsMax: 10_000 };

/**
 * Writes records by jobs of the Bulk API. Answers the outcomes of those that it has done; what is absent is to be sent another
 * way: records that no CSV can say, that a job did not get to, that were locked, or that only REST may save as duplicates.
 * Null when the Bulk API does not know the object.
 */
export async function writeByBulk(
  ingest: IngestContext,
  operation: JobOperation,
  records: readonly Outgoing[],
  signal: AbortSignal,
): Promise<Map<Outgoing, Outcome> | null> {
  const outcomes = new Map<Outgoing, Outcome>();
  for (const file of jobFiles(ingest, operation, records)) {
    if (!(await runJob(ingest, operation, file, outcomes, signal))) return null;
  }
  return outcomes;
}

/** The file of each job. Records that are in none are sent another way. */
export function* jobFiles(
  { plan, to }: Pick<IngestContext, 'plan' | 'to'>,
  operation: JobOperation,
  records: readonly Outgoing[],
): Generator<JobFile> {
  const columns = operation === 'delete' ? [] : columnsOf(records, plan.columns);
  const keyName = operation === 'upsert' || operation === 'insert' ? plan.key!.name : 'Id';
  const lookups = columns.filter(({ column }) => column.parent !== null);
  if (lookups.length === 0) return yield* files(records, jobColumns(keyName, columns, new Set()));
  const alike = new Map<string, { readonly emptied: ReadonlySet<SetColumn>; readonly records: Outgoing[] }>();
  for (const record of records) {
    const emptied = emptiedBy(record, lookups);
    const name = emptied.map(({ at }) => at).join();
    const group = alike.get(name) ?? { emptied: new Set(emptied), records: [] };
    alike.set(name, group);
    group.records.push(record);
  }
  for (const { emptied, records: group } of alike.values()) {
    // Few of a kind are not worth a job of their own.
    if (alike.size > 1 && group.length <= to.bulkAbove) continue;
    yield* files(group, jobColumns(keyName, columns, emptied));
  }
}

/** Files of no more than a job takes. Records that no CSV can say are in none. */
function* files(records: readonly Outgoing[], columns: readonly JobColumn[]): Generator<JobFile> {
  for (let at = 0; at < records.length; ) {
    if (lineOf(records[at]!, columns) === null) {
      at++;
      continue;
    }
    const file = new JobFile(records, at, columns);
    yield file;
    at = file.end;
  }
}

async function runJob(
  ingest: IngestContext,
  operation: JobOperation,
  file: JobFile,
  outcomes: Map<Outgoing, Outcome>,
  signal: AbortSignal,
): Promise<boolean> {
  const id = await uploadJob(ingest, operation, () => file.pieces(), signal);
  if (id === null) return false;
  // The org works meanwhile.
  const { inJob: records, header } = file;
  const keys = records.map(({ key }) => writtenText(key)!);
  const results = new JobResults(`Bulk job ${id}`, keys);
  const job = await awaitJob(ingest, id, signal, records.length);
  refuseWrongHeader(ingest, job);
  const { context } = ingest;
  if (job.state !== 'JobComplete') {
    const { state, errorMessage } = job;
    context.log.warn({ connection: context.connection, job: id, state, errorMessage }, 'a Bulk job did not come to its end');
  }
  const policy = { clock: context.clock, random: context.random, policy: resultRetry, signal };
  await retrying(() => readJob(ingest, operation, header, job, results, signal), policy);
  await ingest.memory?.set(null);
  const processed = job.numberRecordsProcessed ?? 0;
  for (const [index, record] of records.entries()) {
    const told = results.of(index);
    // An update that is not among the failed has been done, when the job has got to all.
    const outcome =
      told ?? (operation === 'update' || operation === 'delete' ? doneWhenAll(processed === records.length) : undefined);
    if (outcome !== undefined && !isForRest(outcome, ingest)) outcomes.set(record, outcome);
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
