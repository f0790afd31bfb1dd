import {
  type Change,
  type Commit,
  type ConnectorContext,
  newRow,
  type Row,
  type SchemaChange,
  SchemaChangedError,
  type Target,
  type TargetPreview,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import type { To } from '../config.ts';
import type { Describes } from '../describe.ts';
import { type JsonRecord, valueAt } from '../queries.ts';
import { recordId } from '../record-id.ts';
import { fromRest } from '../values.ts';
import { type CollectionsContext, lostField } from './collections.ts';
import { findRecords, foldKey } from './find-records.ts';
import { lacksParent, type Outcome, type Outgoing } from './outcome.ts';
import { PreviewedOrg } from './previewed-org.ts';
import { type OrgWrites, RecordSender } from './record-sender.ts';
import { sameAsStored } from './same-as-stored.ts';
import { type Operation, planWrites, type WritePlan } from './write-plan.ts';
import { toWrite, writtenText } from './write-values.ts';

export interface TargetParts extends Pick<CollectionsContext, 'client' | 'momentary'> {
  readonly context: ConnectorContext;
  readonly describes: Describes;
}

/**
 * Records of one job at most, held in memory. Salesforce works on them in pieces of 10,000, several at once: two jobs would cost twice
 * the calls and be no quicker.
 */
const batchSizeMax = 100_000;

/** One object of the org, written by sObject Collections, or by the Bulk API when a write holds many records. */
export async function openTarget(parts: TargetParts, spec: TargetSpec<To>, signal: AbortSignal): Promise<SalesforceTarget> {
  const describe = await parts.describes.get(spec.to.object, signal);
  const plan = await planWrites(spec, describe, (object) => parts.describes.get(object, signal));
  return new SalesforceTarget(parts, spec, plan);
}

export class SalesforceTarget implements Target {
  readonly batchSizeMax = batchSizeMax;
  readonly compares: boolean;
  readonly warnings: WritePlan['warnings'];
  readonly #parts: TargetParts;
  readonly #spec: TargetSpec<To>;
  readonly #plan: WritePlan;
  readonly #org: OrgWrites;

  constructor(parts: TargetParts, spec: TargetSpec<To>, plan: WritePlan, org: OrgWrites = new RecordSender(parts, spec, plan)) {
    this.#parts = parts;
    this.#spec = spec;
    this.#plan = plan;
    this.#org = org;
    this.compares = spec.to.compare;
    this.warnings = plan.warnings;
  }

  /** The object is the org's own: what it lacks is said when the target is opened, and made in Setup. */
  async plan(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    return [];
  }

  async write(changes: readonly Change[], _commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    const results = new Map<Change, WriteResult>();
    const upserts = changes.filter(({ op }) => op === 'upsert');
    const deletes = changes.filter(({ op }) => op === 'delete');
    try {
      await this.#org.begin(signal);
      // First, so that a value that must be unique is free for who takes it over.
      await this.#delete(deletes, results, signal);
      await this.#write(upserts, results, signal);
      await this.#refuseLostRight(results.values(), signal);
    } catch (error) {
      this.#org.broken();
      if (error instanceof SchemaChangedError) this.#parts.describes.forget(this.#plan.object);
      throw error;
    }
    return changes.map((change) => results.get(change)!);
  }

  /** Records that carry an external id of this sync are its own; those it only updates, or cannot find again, it never deletes. */
  async #delete(changes: readonly Change[], results: Map<Change, WriteResult>, signal: AbortSignal): Promise<void> {
    const { operation, deletes } = this.#plan;
    if (operation !== 'upsert' || deletes !== 'mirror' || changes.length === 0) {
      for (const change of changes) results.set(change, { status: 'unchanged' });
      return;
    }
    const found = await this.#find(changes, [], signal);
    const there: Outgoing[] = [];
    for (const change of changes) {
      const records = found.get(this.#fold(change)) ?? [];
      if (records.length === 1) there.push({ change, key: String(records[0]!.Id), values: [] });
      else if (records.length === 0) results.set(change, { status: 'unchanged' });
      else results.set(change, ambiguous(change, this.#plan, records.length));
    }
    const outcomes = await this.#org.send('delete', there, signal);
    for (const [i, { change }] of there.entries()) {
      const outcome = outcomes[i]!;
      // Somebody else was quicker: what was to go is gone.
      const gone = !outcome.ok && outcome.reason.code === 'ENTITY_IS_DELETED';
      results.set(change, outcome.ok ? { status: 'deleted' } : gone ? { status: 'unchanged' } : refused(outcome));
    }
  }

  async #write(changes: readonly Change[], results: Map<Change, WriteResult>, signal: AbortSignal): Promise<void> {
    const { operation } = this.#plan;
    const records = this.#readable(changes, results);
    const groups: Record<Operation, Outgoing[]> = { insert: [], upsert: [], update: [] };
    if (this.#needsCurrent) await this.#sortByCurrent(records, groups, results, signal);
    else groups[operation].push(...records);
    for (const group of ['update', 'upsert', 'insert'] as const) {
      const outcomes = await this.#send(group, groups[group], signal);
      for (const [i, { change }] of groups[group].entries()) {
        const outcome = outcomes[i]!;
        const status = group === 'insert' || (outcome.ok && outcome.created) ? 'created' : 'updated';
        if (!outcome.ok) results.set(change, refused(outcome));
        else results.set(change, outcome.id === undefined ? plainly[status] : { status, id: outcome.id });
      }
    }
  }

  /** Some fields are refused for what a record is, such as a converted lead; one that the user may not write any more is no record's fault. */
  async #refuseLostRight(results: Iterable<WriteResult>, signal: AbortSignal): Promise<void> {
    const isAboutRights = (result: WriteResult) =>
      result.status === 'rejected' && result.reason.code === 'INVALID_FIELD_FOR_INSERT_UPDATE';
    const { object, columns, operation } = this.#plan;
    // Thrown, it would have those inserted again that were taken.
    if (operation === 'insert' || ![...results].some(isAboutRights)) return;
    const { describes } = this.#parts;
    describes.forget(object);
    const { fields } = await describes.get(object, signal);
    const writable = new Set(fields.filter(({ createable, updateable }) => createable || updateable).map(({ name }) => name));
    const lost = columns.find(({ parent, path }) => !writable.has(parent?.idField ?? path));
    if (lost !== undefined) throw lostField(object, lost.path);
  }

  /** The records as they go out; those that cannot be said are refused here. */
  #readable(changes: readonly Change[], results: Map<Change, WriteResult>): Outgoing[] {
    const plan = this.#plan;
    const records: Outgoing[] = [];
    const repeated = this.#repeated(changes);
    for (const change of changes) {
      const values = new Array<unknown>(plan.columns.length);
      const reason = repeated.has(change)
        ? {
            code: 'DUPLICATE_VALUE',
            message: `${plan.key!.name} ${change.key} stands for the same record as another one of this batch`,
          }
        : this.#readValues(change, values);
      const key = plan.key === null ? null : this.#writtenKey(change);
      if (reason !== null) results.set(change, { status: 'rejected', reason });
      else if (key !== null && 'code' in key) results.set(change, { status: 'rejected', reason: key });
      else records.push({ change, key: key?.value ?? null, values });
    }
    return records;
  }

  /** Those that stand for the same record as another. */
  #repeated(changes: readonly Change[]): ReadonlySet<Change> {
    const repeated = new Set<Change>();
    if (this.#plan.operation === 'insert') return repeated;
    const keys = changes.map((change) => this.#fold(change));
    // Mostly there are none.
    if (new Set(keys).size === keys.length) return repeated;
    const byKey = new Map<string, Change>();
    for (const [i, change] of changes.entries()) {
      const twin = byKey.get(keys[i]!);
      if (twin === undefined) byKey.set(keys[i]!, change);
      else repeated.add(change).add(twin);
    }
    return repeated;
  }

  #readValues(change: Change, values: unknown[]): { code: string; message: string } | null {
    const { columns } = this.#plan;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      const value = change.row![column.name];
      if (value === undefined) continue;
      const written = toWrite(value, column);
      if (!written.ok) return { code: 'VALUE_REFUSED', message: written.message };
      values[i] = written.value;
    }
    return null;
  }

  #writtenKey({ key }: Change): { readonly value: unknown } | { readonly code: string; readonly message: string } {
    const field = this.#plan.key!;
    if (field.type === 'id') {
      const value = recordId(key);
      return value === null ? { code: 'MALFORMED_ID', message: `${JSON.stringify(key)} is no record id` } : { value };
    }
    const written = toWrite(key, { field, type: numberTypes.has(field.type) ? 'decimal' : 'text' });
    if (!written.ok) return { code: 'VALUE_REFUSED', message: written.message };
    if (written.value === null || key.trim() === '') return { code: 'MISSING_ARGUMENT', message: `${field.name} is empty` };
    return { value: written.value };
  }

  /** Whether what is sent depends on what the org has. */
  get #needsCurrent(): boolean {
    const { operation, key, columns } = this.#plan;
    if (operation === 'insert') return false;
    if (this.#spec.to.compare || (operation === 'update' && key!.type !== 'id')) return true;
    return operation === 'upsert' && columns.some(({ createOnly }) => createOnly);
  }

  /** Records that are there are updated by Id, in what differs; those that are not are made, or refused. */
  async #sortByCurrent(
    records: readonly Outgoing[],
    groups: Record<Operation, Outgoing[]>,
    results: Map<Change, WriteResult>,
    signal: AbortSignal,
  ): Promise<void> {
    const { operation, key, columns, object } = this.#plan;
    const { compare } = this.#spec.to;
    const fields = compare ? columns.map(({ path }) => path) : [];
    const found = await this.#find(
      records.map(({ change }) => change),
      fields,
      signal,
    );
    for (const record of records) {
      const { change, values } = record;
      const [current, ...others] = found.get(this.#fold(change)) ?? [];
      if (others.length > 0) results.set(change, ambiguous(change, this.#plan, others.length + 1));
      else if (current !== undefined) {
        const sent = columns.map((column, i) => {
          const leave = column.createOnly || (compare && sameAsStored(values[i], valueAt(current, column.path), column));
          return leave ? undefined : values[i];
        });
        if (sent.every((value) => value === undefined)) results.set(change, { status: 'unchanged' });
        else groups.update.push({ change, key: current.Id, values: sent });
      } else if (operation === 'upsert') groups.upsert.push(record);
      else {
        const message = `there is no ${object} record with ${key!.name} ${change.key}, and operation: update makes none`;
        results.set(change, { status: 'rejected', reason: { code: 'NOT_FOUND', message } });
      }
    }
  }

  /** Sends records; those whose parent comes to be with the others are sent again once it has. */
  async #send(operation: Operation, records: readonly Outgoing[], signal: AbortSignal): Promise<readonly Outcome[]> {
    if (records.length === 0) return [];
    const outcomes = [...(await this.#org.send(operation, records, signal))];
    if (!this.#plan.columns.some(({ parent }) => parent?.object === this.#plan.object)) return outcomes;
    const orphansAmong = (indexes: readonly number[]) => indexes.filter((index) => lacksParent(outcomes[index]!));
    let sent = [...records.keys()];
    for (let left = orphansAmong(sent); left.length > 0 && left.length < sent.length; left = orphansAmong(sent)) {
      const again = left.map((index) => records[index]!);
      for (const [i, outcome] of (await this.#org.send(operation, again, signal)).entries()) outcomes[left[i]!] = outcome;
      sent = left;
    }
    return outcomes;
  }

  #fold({ key }: Change): string {
    return foldKey(key, this.#plan.key!);
  }

  #find(changes: readonly Change[], fields: readonly string[], signal: AbortSignal): Promise<Map<string, JsonRecord[]>> {
    return this.#org.find(
      changes.map(({ key }) => key),
      fields,
      signal,
    );
  }

  /** @param blind  reads nothing to tell what would be overwritten: somebody else knows */
  openPreview({ blind = false }: { readonly blind?: boolean } = {}): TargetPreview {
    const preview = new PreviewedOrg(this.#parts, this.#spec, this.#plan, blind);
    const target = new SalesforceTarget(this.#parts, this.#spec, this.#plan, preview);
    return {
      calls: preview.calls,
      async write(changes, signal) {
        const results = await target.write(changes, nothingKept, signal);
        return changes.map((change, i) => preview.of(change, results[i]!));
      },
    };
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const { key, columns, object } = this.#plan;
    const rows = new Map<string, Row>();
    if (key === null || keys.length === 0) return rows;
    const fields = columns.map(({ path }) => path);
    const found = await findRecords({ client: this.#parts.client, object, key, fields, signal: undefined }, keys);
    for (const each of keys) {
      const record = found.get(foldKey(each, key))?.[0];
      if (record === undefined) continue;
      const row = newRow();
      for (const { name, type } of this.#spec.schema.fields) {
        const column = columns.find((candidate) => candidate.name === name);
        row[name] = column === undefined ? each : fromRest(valueAt(record, column.path), { type });
      }
      rows.set(each, row);
    }
    return rows;
  }

  differing(row: Row, held: Row): readonly string[] {
    return this.#plan.columns
      .filter((column) => {
        const { name, createOnly } = column;
        // What is set once is the org's from then on.
        if (createOnly || row[name] === undefined) return false;
        const [written, stored] = [toWrite(row[name], column), toWrite(held[name] ?? null, column)];
        return !written.ok || !sameAsStored(written.value, stored.ok ? writtenText(stored.value) : held[name], column);
      })
      .map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const nothingKept: Commit = { epoch: 0, settle: async () => null };

const plainly = { created: { status: 'created' }, updated: { status: 'updated' } } as const;

const numberTypes = new Set(['double', 'int', 'currency', 'percent', 'long']);

function refused(outcome: Extract<Outcome, { ok: false }>): WriteResult {
  return { status: 'rejected', reason: outcome.reason };
}

function ambiguous({ key }: Change, { object, key: field }: WritePlan, count: number): WriteResult {
  const message = `${count} ${object} records have ${field!.name} ${key}: which of them is meant nobody can tell`;
  return { status: 'rejected', reason: { code: 'DUPLICATE_VALUE', message } };
}
