import {
  addCalls,
  type Change,
  deletePreview,
  noCalls,
  type RecordPreview,
  refusedPreview,
  type TargetSpec,
  unchangedPreview,
  type WriteResult,
} from '@tidemark/core';
import type { Client } from '../client.ts';
import type { To } from '../config.ts';
import { counting } from '../counted-client.ts';
import { type JsonRecord, valueAt } from '../queries.ts';
import { fromRest } from '../values.ts';
import { findRecords, foldKey } from './find-records.ts';
import type { JobOperation } from './ingest-job.ts';
import { type Outcome, type Outgoing, refusedWith, valuesOf } from './outcome.ts';
import { callsToSend, type OrgWrites } from './record-sender.ts';
import { sameAsStored } from './same-as-stored.ts';
import type { WriteColumn, WritePlan } from './write-plan.ts';
import { writtenText } from './write-values.ts';

/**
 * The org as writes would leave it. What a target would send is noted and counted; what it asks is asked, and answered with what it
 * would have sent before. To tell what would be overwritten, every record is read, which a real write may not need.
 */
export class PreviewedOrg implements OrgWrites {
  readonly calls = noCalls();
  readonly #client: Client;
  readonly #to: To;
  readonly #plan: WritePlan;
  /** By folded key: none for those that are not there. */
  readonly #records = new Map<string, readonly JsonRecord[]>();
  readonly #previews = new Map<Change, RecordPreview>();

  readonly #blind: boolean;

  constructor({ client }: { readonly client: Client }, { to }: Pick<TargetSpec<To>, 'to'>, plan: WritePlan, blind: boolean) {
    this.#blind = blind;
    this.#client = client;
    this.#to = to;
    this.#plan = plan;
  }

  async begin(): Promise<void> {}
  broken(): void {}

  /** What would become of a change. */
  of(change: Change, result: WriteResult): RecordPreview {
    const preview = this.#previews.get(change);
    this.#previews.delete(change);
    if (preview !== undefined) return preview;
    return result.status === 'rejected' ? refusedPreview(result.reason) : unchangedPreview;
  }

  async find(keys: readonly string[], _fields: readonly string[], signal: AbortSignal): Promise<Map<string, JsonRecord[]>> {
    this.calls.reads += await this.#read(keys, signal);
    const wanted = new Set(keys.map((key) => this.#fold(key)));
    return new Map([...wanted].flatMap((key) => (this.#records.get(key)?.length ? [[key, [...this.#records.get(key)!]]] : [])));
  }

  async send(operation: JobOperation, records: readonly Outgoing[], signal: AbortSignal): Promise<readonly Outcome[]> {
    addCalls(this.calls, { ...noCalls(), ...callsToSend({ plan: this.#plan, to: this.#to }, operation, records) });
    if (operation !== 'insert' && !this.#blind) {
      const unknown = records.map(({ change }) => change.key).filter((key) => !this.#records.has(this.#fold(key)));
      // The real write knows nothing of them either, and does not ask.
      await this.#read(unknown, signal);
    }
    return records.map((record) => this.#send(operation, record));
  }

  #send(operation: JobOperation, record: Outgoing): Outcome {
    const { change, key } = record;
    const folded = this.#plan.key === null ? null : this.#fold(change.key);
    const current = operation === 'insert' || folded === null ? undefined : this.#records.get(folded)?.[0];
    if (operation === 'delete') {
      this.#records.set(folded!, []);
      this.#previews.set(change, deletePreview);
      return { ok: true, created: false };
    }
    if (operation === 'update' && current === undefined && !this.#blind) {
      return refusedWith('NOT_FOUND', `there is no ${this.#plan.object} record ${String(key)}`);
    }
    const values = [...valuesOf(record, this.#plan.columns)];
    const all = values.map(([column, value]) => ({ column, value, after: change.row![column.name]! }));
    const differing =
      current === undefined
        ? all
        : all.filter(({ column, value }) => !sameAsStored(value, valueAt(current, column.path), column));
    const fields = differing.map(({ column, after }) => {
      if (current === undefined) return { field: column.name, after };
      return { field: column.name, before: fromRest(valueAt(current, column.path), { type: column.type }), after };
    });
    const effect = current === undefined ? 'create' : 'update';
    this.#previews.set(change, { effect, fields, resent: all.length - differing.length });
    if (folded !== null) this.#records.set(folded, [merged(current, values)]);
    return { ok: true, created: current === undefined };
  }

  /** Answers how many calls it took. */
  async #read(keys: readonly string[], signal: AbortSignal): Promise<number> {
    const { object, key, columns } = this.#plan;
    if (keys.length === 0 || key === null) return 0;
    const counted = counting(this.#client);
    const fields = columns.map(({ path }) => path);
    const found = await findRecords({ client: counted.client, object, key, fields, signal }, keys);
    for (const folded of new Set(keys.map((each) => this.#fold(each)))) {
      // What was sent before is what counts.
      if (!this.#records.has(folded)) this.#records.set(folded, found.get(folded) ?? []);
    }
    return counted.calls();
  }

  #fold(key: string): string {
    return foldKey(key, this.#plan.key!);
  }
}

function merged(current: JsonRecord | undefined, values: readonly [WriteColumn, unknown][]): JsonRecord {
  const record: Record<string, unknown> = { Id: 'new', ...current };
  for (const [{ path }, value] of values) {
    const [head, tail] = path.split('.') as [string, string | undefined];
    record[head] = tail === undefined ? writtenText(value) : { ...(record[head] as object | null), [tail]: writtenText(value) };
  }
  return record as JsonRecord;
}
