import type { ConnectorContext, TargetSpec } from '@tidemark/core';
import type { To } from '../config.ts';
import type { JsonRecord } from '../queries.ts';
import { jobFiles, writeByBulk } from './bulk-write.ts';
import { deleteCollection, writeCollection } from './collections.ts';
import { findRecords } from './find-records.ts';
import { endJobLeftBehind, type IngestContext, type JobOperation } from './ingest-job.ts';
import type { Outcome, Outgoing } from './outcome.ts';
import { compareTexts, sendPatiently } from './send-patiently.ts';
import type { WriteColumn, WritePlan } from './write-plan.ts';

/** What a target asks of the org, or of somebody who only tells what would be asked. */
export interface OrgWrites {
  /** Before anything is written: a job of an earlier attempt may still be writing. */
  begin(signal: AbortSignal): Promise<void>;
  /** The records with these keys, by folded key. */
  find(keys: readonly string[], fields: readonly string[], signal: AbortSignal): Promise<Map<string, JsonRecord[]>>;
  /** Outcome i is about record i. */
  send(operation: JobOperation, records: readonly Outgoing[], signal: AbortSignal): Promise<readonly Outcome[]>;
  /** A write broke off: nobody knows what is under way. */
  broken(): void;
}

/** Sends records to the org: many by the Bulk API, few by Collections. */
export class RecordSender implements OrgWrites {
  readonly #context: ConnectorContext;
  readonly #ingest: IngestContext;
  /** No job of ours is under way. */
  #jobsEnded = false;
  #bulkKnowsObject = true;

  constructor(
    parts: Pick<IngestContext, 'client' | 'context' | 'momentary'>,
    { to, memory }: Pick<TargetSpec<To>, 'to' | 'memory'>,
    plan: WritePlan,
  ) {
    this.#context = parts.context;
    this.#ingest = { ...parts, plan, to, memory, experience: { msPerRecord: 0 } };
  }

  async begin(signal: AbortSignal): Promise<void> {
    if (this.#jobsEnded) return;
    await endJobLeftBehind(this.#ingest, signal);
    this.#jobsEnded = true;
  }

  broken(): void {
    this.#jobsEnded = false;
  }

  find(keys: readonly string[], fields: readonly string[], signal: AbortSignal): Promise<Map<string, JsonRecord[]>> {
    const { client, plan } = this.#ingest;
    return findRecords({ client, object: plan.object, key: plan.key!, fields, signal }, keys);
  }

  /** Many by the Bulk API, few by Collections; and so what a job has left undone. */
  async send(operation: JobOperation, records: readonly Outgoing[], signal: AbortSignal): Promise<readonly Outcome[]> {
    const { plan, to, momentary = false } = this.#ingest;
    const bulk = this.#bulkKnowsObject && isForBulk(this.#ingest, operation, records.length);
    const done = bulk ? await writeByBulk(this.#ingest, operation, records, byParent(plan, records), signal) : null;
    if (bulk && done === null) this.#bulkKnowsObject = false;
    const left = done === null ? records : records.filter((_, i) => done[i] === undefined);
    if (done !== null && left.length === 0) return done as Outcome[];
    const sent = await sendPatiently(left, {
      context: this.#context,
      callMax: to.recordsPerCall,
      signal,
      momentary,
      ...(operation === 'insert' ? { once: { begun: done !== null && left.length < records.length } } : {}),
      lockOf: (record) => parentsOf(plan, record),
      call: (chunk, abort) =>
        operation === 'delete'
          ? deleteCollection(
              this.#ingest,
              chunk.map(({ key }) => String(key)),
              abort,
            )
          : writeCollection(this.#ingest, operation, chunk, abort),
    });
    if (done === null) return sent;
    let late = 0;
    return done.map((outcome) => outcome ?? sent[late++]!);
  }
}

/** Requests that `send` costs when nothing goes wrong: the org asked once for a job's state, nothing refused, nothing locked. */
export function callsToSend(
  ingest: Pick<IngestContext, 'plan' | 'to'>,
  operation: JobOperation,
  records: readonly Outgoing[],
): { readonly collections: number; readonly bulkJobs: number; readonly bulkRequests: number } {
  const { plan, to } = ingest;
  let bulkJobs = 0;
  let inJobs = 0;
  if (isForBulk(ingest, operation, records.length)) {
    for (const { inJob } of jobFiles(ingest, operation, records, byParent(plan, records))) {
      bulkJobs++;
      inJobs += inJob.length;
    }
  }
  // Made, given its file, closed, asked for its state; what an upsert or an insert has made is read.
  const requests = operation === 'upsert' || operation === 'insert' ? 5 : 4;
  return {
    collections: Math.ceil((records.length - inJobs) / to.recordsPerCall),
    bulkJobs,
    bulkRequests: bulkJobs * requests,
  };
}

function isForBulk({ plan, to }: Pick<IngestContext, 'plan' | 'to'>, operation: JobOperation, records: number): boolean {
  // A job knows a rule only by its id, and its results need a key by which they are found.
  if (records <= to.bulkAbove || to.allOrNone || to.assignmentRule === 'default') return false;
  return operation !== 'insert' || plan.key !== null;
}

/** Where the records stand. Pieces of a job are worked on at once: records of one parent had better be in the same piece. */
function byParent(plan: WritePlan, records: readonly Outgoing[]): readonly number[] {
  const order = [...records.keys()];
  if (!plan.columns.some(isLookup)) return order;
  const parents = records.map((record) => parentsOf(plan, record));
  return order.sort((a, b) => compareTexts(parents[a]!, parents[b]!));
}

/** Records with the same parents lock each other. */
function parentsOf({ columns }: WritePlan, { key, values }: Outgoing): string {
  const parents = columns.flatMap((column, i) => (isLookup(column) ? [String(values[i] ?? '')] : []));
  return parents.length === 0 ? String(key) : parents.join('\n');
}

const isLookup = ({ field, parent }: WriteColumn) => parent !== null || field.type === 'reference';
