import { RequestRefusedError } from '../../base/errors.ts';
import type { SyncConfig } from '../../config/config.ts';
import { fieldsToRead } from '../../config/fields-to-read.ts';
import { type Change, NO_STAMP } from '../../model/change.ts';
import type { EventReader, StreamChange } from '../../model/stream.ts';
import { newRow, type Row } from '../../model/value.ts';
import { type Output, outputsOf } from '../live/partial.ts';
import type { StageContext, StepFailure } from '../stage.ts';
import type { Steps } from '../steps.ts';
import type { KnownRecord } from './known-records.ts';

/**
 * Why a record is not, or not wholly, what the mapping would make of it:
 * - `untold`: the events told that it changed, and not how.
 * - `partial`: its events are in the journal, its beginning is not, and the mapping needs more fields than they carry.
 * - `absent`: the target has no such row, and the journal cannot make a whole one.
 * - `newer`: the target's row has a newer stamp, or was changed by others: it stays.
 * - `failing`: it has an open failure, and is written through that one.
 * - `busy`: new events of it came faster than they could be replayed.
 */
export type LeftReason = 'untold' | 'partial' | 'absent' | 'newer' | 'failing' | 'busy';

/** What some records come to. */
export interface Planned {
  readonly changes: readonly StreamChange[];
  /** Records that are left alone, and those of which only some fields are written. */
  readonly short: ReadonlyMap<string, LeftReason>;
  readonly failures: readonly StepFailure[];
  readonly dropped: number;
}

/** Turns what is known of records into what is to be written to the target, through the sync's mapping as it is now. */
export interface ReplayPlan {
  /** Fields of the target that no event can tell: they stay as they are. */
  readonly untouched: readonly string[];
  changes(records: ReadonlyMap<string, KnownRecord>): Promise<Planned>;
}

export interface PlanParts {
  readonly config: SyncConfig;
  readonly reader: EventReader;
  readonly steps: Steps;
  readonly context: StageContext;
}

/** @throws {RequestRefusedError} the mapping needs what no event carries */
export function planReplay(parts: PlanParts): ReplayPlan {
  if (parts.reader.eventsOnly !== undefined) return planOfEvents(parts);
  return parts.config.steps.length > 0 ? planOfSteps(parts) : planOfFields(parts);
}

/** What somebody published is a record of its own, whole and never changed. */
function planOfEvents({ reader, steps }: PlanParts): ReplayPlan {
  return {
    untouched: [],
    async changes(records) {
      const short = new Map<string, LeftReason>();
      const whole: Change[] = [];
      for (const [key, { row, torn }] of records) {
        if (torn) {
          short.set(key, 'untold');
          continue;
        }
        const all = newRow();
        for (const { name } of reader.schema.fields) all[name] = row[name] ?? null;
        whole.push({ op: 'upsert', key, row: all, stampMs: NO_STAMP });
      }
      const { changes, failures, dropped } = await steps.changes(whole);
      // An event that a filter takes out was never in the target, or it is no longer wanted there and stays.
      return { changes: changes.filter(({ op }) => op === 'upsert'), short, failures, dropped };
    },
  };
}

/** A record that takes no further looking at, or undefined. */
function plain(
  key: string,
  { gone, row, stampMs }: KnownRecord,
  config: SyncConfig,
): StreamChange | LeftReason | null | undefined {
  if (gone) return config.deletes === 'ignore' ? null : { op: 'delete', key, row: null, stampMs: stampMs ?? NO_STAMP };
  // Without a stamp nobody could tell it from an older one (P3).
  return stampMs === null || Object.keys(row).length === 0 ? 'untold' : undefined;
}

/** Without steps each field of the target follows from some of the source: those are written whose sources are known. */
function planOfFields({ config, reader, steps, context }: PlanParts): ReplayPlan {
  const isEventless = eventlessOf(reader);
  const [keyField] = reader.schema.key;
  const outputs = outputsOf(config, reader, context).filter(({ stage, reads }) => stage !== null || reads?.[0] !== keyField);
  const told = outputs.filter(({ reads }) => reads !== null && !reads.some(isEventless));
  const untouched = outputs.filter((output) => !told.includes(output)).map(({ name }) => name);
  if (told.length === 0) {
    throw new RequestRefusedError(`${config.name} cannot be replayed: no event carries what its fields are made of`, {
      hint: `tidemark run ${config.name} --full reads it from the source`,
    });
  }
  // A filter of the source's own language: whoever is in the target has passed it, and nobody else is let in.
  const isFiltered = config.where !== null || reader.filterFields !== undefined;
  const creates = untouched.length === 0 && !isFiltered;

  return {
    untouched,
    async changes(records) {
      const changes: StreamChange[] = [];
      const short = new Map<string, LeftReason>();
      const whole: Change[] = [];
      const sets = new Map<string, Row>();
      for (const [key, record] of records) {
        const known = plain(key, record, config);
        if (typeof known === 'string') short.set(key, known);
        else if (known !== undefined && known !== null) changes.push(known);
        if (known !== undefined) continue;
        const missing = told.filter((output) => !isKnown(output, record.row));
        if (missing.length === 0 && creates && record.born) {
          whole.push({ op: 'upsert', key, row: record.row, stampMs: record.stampMs! });
          continue;
        }
        if (missing.length > 0) short.set(key, record.torn ? 'untold' : 'partial');
        if (missing.length < told.length) sets.set(key, newRow());
      }
      const stepped = await steps.changes(whole);
      const failures = [...stepped.failures, ...(await fill(sets, told, records))];
      const failed = new Set(failures.map(({ key }) => key));
      for (const [key, row] of sets) {
        if (!failed.has(key)) changes.push({ op: 'update', key, row, stampMs: records.get(key)!.stampMs! });
      }
      return { changes: [...changes, ...stepped.changes], short, failures, dropped: stepped.dropped };
    },
  };
}

/** Sets what can be made of each record, field by field of the target. */
async function fill(
  sets: ReadonlyMap<string, Row>,
  outputs: readonly Output[],
  records: ReadonlyMap<string, KnownRecord>,
): Promise<StepFailure[]> {
  const failures: StepFailure[] = [];
  for (const output of outputs) {
    const { name, reads, stage } = output;
    const items = [];
    for (const [key, set] of sets) {
      const { row, stampMs } = records.get(key)!;
      if (!isKnown(output, row)) continue;
      if (stage === null) set[name] = row[reads![0]!]!;
      else items.push({ key, row, stampMs: stampMs! });
    }
    if (stage === null || items.length === 0) continue;
    const made = await stage.items(items);
    for (const { key, row } of made.items) sets.get(key)![name] = row[name]!;
    failures.push(...made.failures);
  }
  return failures;
}

const isKnown = ({ reads }: Output, row: Row): boolean => reads!.every((name) => Object.hasOwn(row, name));

/** Steps get whole records, those that a filter of the user's lets in among them. */
function planOfSteps({ config, reader, steps }: PlanParts): ReplayPlan {
  const isEventless = eventlessOf(reader);
  const { schema, stampField } = reader;
  const spelling = new Map(schema.fields.map(({ name }) => [name.toLowerCase(), name]));
  const named = fieldsToRead(config)?.map((name) => spelling.get(name.toLowerCase()) ?? name);
  // Who takes everything, the user's own function say, takes the stamp as the events tell it.
  const everything = schema.fields.map(({ name }) => name).filter((name) => name !== stampField);
  const needed = (named ?? everything).filter((name) => !schema.key.includes(name));
  const never = needed.filter(isEventless);
  if (never.length > 0) {
    const hint = named === undefined ? `leave them out (exclude: [${never.join(', ')}])` : 'leave them out';
    throw new RequestRefusedError(
      `${config.name} cannot be replayed: its steps need ${never.join(', ')}, which no event carries`,
      {
        hint: `${hint}, or read it from the source: tidemark run ${config.name} --full`,
      },
    );
  }
  const creates = config.where === null && reader.filterFields === undefined;

  return {
    untouched: [],
    async changes(records) {
      const changes: StreamChange[] = [];
      const short = new Map<string, LeftReason>();
      const whole: Change[] = [];
      for (const [key, record] of records) {
        const known = plain(key, record, config);
        if (typeof known === 'string') short.set(key, known);
        else if (known !== undefined && known !== null) changes.push(known);
        if (known !== undefined) continue;
        if (needed.every((name) => Object.hasOwn(record.row, name))) whole.push(wholeOf(key, record, reader));
        else short.set(key, record.torn ? 'untold' : 'partial');
      }
      const stepped = await steps.changes(whole);
      for (const change of stepped.changes) {
        if (change.op === 'delete') {
          if (config.deletes !== 'ignore') changes.push(change);
        } else if (creates && records.get(change.key)?.born) changes.push(change);
        else
          changes.push({ op: 'update', key: change.key, row: without(change.row!, steps.schema.key), stampMs: change.stampMs });
      }
      return { changes, short, failures: stepped.failures, dropped: stepped.dropped };
    },
  };
}

/** With the fields that its source would give it, and no other. */
function wholeOf(key: string, { row, stampMs }: KnownRecord, { schema, stampField }: EventReader): Change {
  const whole = newRow();
  for (const { name } of schema.fields) if (Object.hasOwn(row, name)) whole[name] = row[name]!;
  if (stampField !== undefined) whole[stampField] = new Date(stampMs!).toISOString();
  return { op: 'upsert', key, row: whole, stampMs: stampMs! };
}

function without(row: Row, names: readonly string[]): Row {
  const rest = Object.assign(newRow(), row);
  for (const name of names) delete rest[name];
  return rest;
}

/** Fields that events do not carry, or not reliably; those of parents among them. */
function eventlessOf({ derivedFields, stampField, schema }: EventReader): (name: string) => boolean {
  const known = new Set(schema.fields.map(({ name }) => name));
  return (name) => name === stampField || derivedFields?.has(name) === true || name.includes('.') || !known.has(name);
}
