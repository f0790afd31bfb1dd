import {
  AccessDeniedError,
  type Batch,
  type Change,
  CheckpointExpiredError,
  type ConnectorContext,
  RequestRefusedError,
  TruncatedReplyError,
} from '@tidemark/core';
import { type Bounds, decodeCheckpoint, encodeCheckpoint, type Window } from './checkpoint.ts';
import type { Client, Subreply, Subrequest } from './client.ts';
import type { Dataset } from './dataset.ts';
import { salesforceCode } from './errors.ts';
import { type QueryPage, queryPage, queryPart, rowOfRecord } from './queries.ts';
import { readKeys } from './read-keys.ts';
import { recordId } from './record-id.ts';
import { after, datetime, selectText } from './soql.ts';
import type { Filter } from './user-query.ts';

/*
 * How changes are read without a gap (P1)
 *
 * A record is stamped when it is written and seen when its transaction commits, seconds or hours later. So whatever has
 * been read up to a stamp, a record with an older one may still turn up. Two watermarks, both by the org's clock, answer that:
 *
 * - `fresh`: everything that could be seen at this time has been read. It is taken from the Date header of the reply to
 *   the first query of a read, less the time that reply took, so that it is never later than the moment at which the
 *   org looked at its records. A read has no upper bound: one at `fresh` would leave out the second that is under way,
 *   and records stamped by a server whose clock is ahead.
 * - `settled`: nothing with an older stamp can turn up any more, and everything older has been read. It follows
 *   `latestDateCovered` of getUpdated, which stays at the start of the oldest transaction that is still open (REST API
 *   Developer Guide, "sObject Get Updated").
 *
 * Where a read begins. While `settled` is close behind, it begins there: nothing older can be new. During a long
 * transaction `settled` stays behind, perhaps for hours, and re-reading all of it with every poll would cost the org
 * dearly; then a read begins `overlap` before `fresh`, which catches what commits within that time, and the rest is left
 * to `settled`: when it moves on at last, the stretch from where it stood is read once more before it follows.
 *
 * Order. getUpdated is answered first and the query after it, in one Composite call whose parts are not collated. The
 * other way round, a transaction committed between the two would be covered by `latestDateCovered` and missing from the query.
 *
 * `latestDateCovered` is never believed beyond `fresh`: an `end` that our idea of the org's time puts into the future must
 * not settle what has not happened yet. And it may be more precise than stamps, which are whole seconds: reads go back a
 * minute further than `settled` says (`slackMs`).
 *
 * Clocks. Ours only measures how long a reply took. A Date header that is behind makes reads longer; one that is ahead by
 * more than the overlap makes changes arrive late, when `settled` moves, and loses none. An object without a settled
 * bound has only its overlap, which is why it gets a long one, and `tidemark check` and the log say so.
 *
 * Pages. Records come in the order of stamp and id, and the next page begins after the last record: equal stamps, of which
 * a mass update makes tens of thousands, are told apart by id. Each page is a query of its own and no continuation of one:
 * a continued query shows later pages as the records are by then, whose new stamps would make the next position skip
 * what lies between. A record that changes while pages are read moves to the end and is read there, or by the next read.
 * A page's checkpoint says what is left, so that a crash redoes at most one page; `fresh` stays as it was at the first
 * page, since later pages say nothing about the stretch before them.
 *
 * Deletes come along as `IsDeleted` through queryAll for as long as the recycle bin keeps them, 15 days: a checkpoint
 * older than that has expired.
 *
 * Rows that leave the filter are not in the filtered answer, whatever their stamp. getUpdated names all that changed:
 * whoever is named and not in the answer is read by id. Deleted records pass the filter as they are, because one that left
 * it and was deleted then is in neither. A value of a parent that changes touches no stamp here; only a full run sees it.
 */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const slackMs = minuteMs;
/** The overlap of objects without a settled bound, at least. */
const overlapUnsettledMs = hourMs;
/** A checkpoint that nothing changes is written anew when it has fallen behind by this much. */
const idleMsMax = hourMs;
/** What the recycle bin holds, less some hours for the read itself. */
const binMs = 15 * dayMs - 6 * hourMs;
/** As far back as getUpdated answers, less a day. */
const updatedMsMax = 29 * dayMs;
/** How long a transaction may have been open when the first read began. */
const transactionMsMax = 6 * hourMs;
/** Our idea of the org's time was wrong, perhaps because the machine slept: what was asked by it is asked again. */
const strayMsMax = 30_000;

export interface DeltaSource {
  readonly client: Client;
  readonly context: ConnectorContext;
  readonly dataset: Dataset & { readonly stampField: string };
  readonly filter: Filter | null;
  readonly overlapMs: number;
  /** Records in one page. */
  readonly pageRows: number;
  /** What one source remembers between its reads. */
  readonly memory: DeltaMemory;
}

export interface DeltaMemory {
  /** The minute of the org's time in which getUpdated was asked last. */
  askedMinute: number;
  /** The longest stretch that getUpdated is asked about: halved when it names too many records. */
  spanMs: number;
}

export const newDeltaMemory = (): DeltaMemory => ({ askedMinute: Number.NEGATIVE_INFINITY, spanMs: updatedMsMax });

/** The bounds from which a delta goes on after a full read that begins now. */
export async function markDelta(source: DeltaSource, signal: AbortSignal): Promise<string> {
  const { client, dataset } = source;
  for (let attempt = 1; ; attempt++) {
    const now = client.time.now();
    // Any span tells latestDateCovered; a shorter one is tried when too much has changed in the longer.
    const spans = dataset.replicateable ? [transactionMsMax, 10 * minuteMs] : [];
    let asOfMs: number | null = null;
    let covered: number | null = null;
    for (const spanMs of spans) {
      const part = updatedPart(source, minuteOf(now - spanMs), minuteOf(now));
      const reply = await client.composite([part], signal);
      asOfMs = reply.asOfMs;
      covered = coveredBy(source, reply.replies[0]!, asOfMs)?.untilMs ?? null;
      if (covered !== null || salesforceCode(reply.replies[0]!.error) !== 'EXCEEDED_ID_LIMIT') break;
    }
    if (asOfMs === null) {
      const about = `looking at ${dataset.object}`;
      const soql = selectText({ fields: ['Id'], object: dataset.object, limit: 1 });
      const reply = await client.composite([queryPart('query', soql, about)], signal);
      if (reply.replies[0]!.error !== null) throw reply.replies[0]!.error;
      asOfMs = reply.asOfMs;
    }
    if (attempt === 1 && Math.abs(client.time.now() - now) > strayMsMax) continue;
    const settled = dataset.replicateable ? (covered ?? asOfMs - transactionMsMax) : null;
    return encodeCheckpoint({ fresh: asOfMs, settled });
  }
}

/** The bounds from which a delta reads again what was committed since then. A stamp is as old as its transaction was long. */
export function rewindDelta(from: string, committedSinceMs: number): string {
  const { fresh, settled } = decodeCheckpoint(from);
  const back = (ms: number) => Math.min(ms, committedSinceMs - transactionMsMax);
  return encodeCheckpoint({ fresh: back(fresh), settled: settled === null ? null : back(settled) });
}

/** Changes since `from`, page by page, until a page comes that is not full. */
export async function* readDelta(source: DeltaSource, from: string, signal: AbortSignal): AsyncGenerator<Batch> {
  const stored = decodeCheckpoint(from);
  checkAge(source, stored);
  let bounds: Bounds = stored;
  let held: Batch | undefined;

  if (stored.reading !== undefined) {
    const { windows, goal } = stored.reading;
    for await (const step of readWindows(source, windows, [], null, signal)) {
      if (held !== undefined) yield held;
      held = { changes: step.changes, checkpoint: encodeCheckpoint(stored, { windows: step.left, goal }) };
    }
    bounds = goal;
    // What was left is read: even if it was nothing, the checkpoint says so from here on.
    held = { changes: held?.changes ?? [], checkpoint: encodeCheckpoint(bounds) };
  }

  const poll = await askFirst(source, bounds, signal);
  const goal: Bounds = { fresh: poll.asOfMs, settled: poll.settledMs };
  // Rows that left the filter are found at the end, from getUpdated's ids: after a crash they must be asked for again.
  const resumed: Bounds = source.filter === null ? goal : { fresh: goal.fresh, settled: bounds.settled };
  const window = { fromMs: poll.fromMs, toMs: poll.asOfMs };
  const seen = poll.changedIds === null ? null : new Set<string>();
  for await (const step of readWindows(source, poll.windows, poll.pages, seen, signal)) {
    if (step.changes.length === 0) continue;
    if (held !== undefined) yield held;
    held = { changes: step.changes, checkpoint: encodeCheckpoint(bounds, { windows: step.left, goal: resumed }), window };
  }
  const unseen = (poll.changedIds ?? []).filter((id) => !seen!.has(id));
  for (let at = 0; at < unseen.length; at += source.pageRows) {
    const ids = unseen.slice(at, at + source.pageRows);
    const changes = await readKeys(source.client, source.dataset, source.filter, ids, signal);
    if (held !== undefined) yield held;
    held = { changes, checkpoint: encodeCheckpoint(bounds, { windows: [], goal: resumed }), window };
  }
  if (held !== undefined) yield { ...held, checkpoint: encodeCheckpoint(goal) };
  else {
    // Nothing has changed: the run's record hears of its window, and only now and then is that worth a write.
    const stale = goal.fresh - stored.fresh >= idleMsMax;
    yield { changes: [], checkpoint: stale ? encodeCheckpoint(goal) : null, window };
  }
}

function checkAge({ client, dataset }: DeltaSource, { fresh, settled }: Bounds): void {
  const now = client.time.now();
  const days = (ms: number) => `${Math.floor((now - ms) / dayMs)} days`;
  if (now - fresh > binMs) {
    throw new CheckpointExpiredError(
      `${dataset.object} was read ${days(fresh)} ago, and the recycle bin keeps deleted records for 15 days`,
    );
  }
  if (settled !== null && now - settled > updatedMsMax) {
    throw new CheckpointExpiredError(
      `${dataset.object} is settled up to ${days(settled)} ago, and getUpdated answers for 30 days`,
    );
  }
}

interface FirstAnswer {
  readonly asOfMs: number;
  readonly fromMs: number;
  readonly settledMs: number | null;
  readonly windows: readonly Window[];
  /** First pages of the windows, as far as they came along. */
  readonly pages: readonly QueryPage[];
  /** Who changed in the time that the windows cover; null when nobody has to be looked for. */
  readonly changedIds: readonly string[] | null;
}

/** The one call of a poll: getUpdated where it is due, and the first page of what changed. */
async function askFirst(source: DeltaSource, bounds: Bounds, signal: AbortSignal): Promise<FirstAnswer> {
  const { client, dataset, filter, memory } = source;
  const { fresh, settled } = bounds;
  for (let attempt = 1; ; attempt++) {
    const now = client.time.now();
    const lagging = settled !== null && fresh - settled > source.overlapMs;
    const overlapMs = settled === null ? Math.max(source.overlapMs, overlapUnsettledMs) : source.overlapMs;
    const fromMs = settled === null || lagging ? fresh - overlapMs : settled - slackMs;
    const startMs = minuteOf(settled ?? 0);
    const endMs = Math.min(minuteOf(now), startMs + memory.spanMs);
    const due = settled !== null && endMs > startMs && minuteOf(now) !== memory.askedMinute;
    // While settled stays far behind, only those changed lately are compared with the filter: the others have been.
    const recentMs = minuteOf(fromMs);
    const recentDue = due && filter !== null && lagging && endMs > recentMs;

    const windows = windowsOf(source, fromMs, null);
    const parts: Subrequest[] = [
      ...(due ? [updatedPart(source, startMs, endMs)] : []),
      ...(recentDue ? [updatedPart(source, recentMs, endMs)] : []),
      ...windows.map((window) => windowPart(source, window)),
    ];
    const { replies, asOfMs } = await client.composite(parts, signal);
    if (attempt === 1 && Math.abs(client.time.now() - now) > strayMsMax) continue;

    const pages = replies.slice(parts.length - windows.length).map((reply) => queryPage(reply, `reading ${dataset.object}`));
    if (!due) return { asOfMs, fromMs, settledMs: settled, windows, pages, changedIds: null };
    memory.askedMinute = minuteOf(now);
    const covered = coveredBy(source, replies[0]!, asOfMs);
    const moved = covered !== null && covered.untilMs > settled;
    const again = moved && lagging ? windowsOf(source, settled - slackMs, Math.min(fromMs, covered.untilMs)) : [];
    const compared = moved || !lagging ? covered : recentDue ? coveredBy(source, replies[1]!, asOfMs) : null;
    return {
      asOfMs,
      fromMs: again.length > 0 ? settled - slackMs : fromMs,
      settledMs: moved ? covered.untilMs : settled,
      windows: [...windows, ...again],
      pages,
      changedIds: filter === null ? null : (compared?.ids ?? null),
    };
  }
}

function windowsOf(source: DeltaSource, from: number, until: number | null): Window[] {
  const rows: Window = { kind: 'rows', from, until, after: null };
  const apart = source.dataset.softDeletes && source.filter?.hasSubselect === true;
  return apart ? [rows, { ...rows, kind: 'deleted' }] : [rows];
}

function updatedPart({ dataset }: DeltaSource, startMs: number, endMs: number): Subrequest {
  const query = new URLSearchParams({ start: datetime(startMs), end: datetime(endMs) });
  return { path: `/sobjects/${dataset.object}/updated/?${query}`, about: `asking what changed in ${dataset.object}` };
}

/** What getUpdated covers and names; null when it could not say, so that settled stays where it is. */
function coveredBy(source: DeltaSource, reply: Subreply, asOfMs: number): { untilMs: number; ids: readonly string[] } | null {
  const { context, dataset, memory } = source;
  if (reply.error !== null) {
    if (salesforceCode(reply.error) === 'EXCEEDED_ID_LIMIT') {
      memory.spanMs = Math.max(minuteMs, minuteOf(Math.min(memory.spanMs, dayMs) / 2));
      return null;
    }
    if (!(reply.error instanceof RequestRefusedError || reply.error instanceof AccessDeniedError)) throw reply.error;
    context.log.warn(
      { connection: context.connection, object: dataset.object, error: reply.error.message },
      'getUpdated was refused: records committed later than the overlap may be missed until it answers',
    );
    return null;
  }
  const { ids, latestDateCovered } = reply.body as { ids?: unknown; latestDateCovered?: unknown };
  const latestMs = Date.parse(String(latestDateCovered).replace('+0000', 'Z'));
  if (!Array.isArray(ids) || Number.isNaN(latestMs)) throw new TruncatedReplyError('the reply of getUpdated is not whole');
  return { untilMs: Math.min(latestMs, asOfMs), ids: ids.map((id) => recordId(String(id)) ?? String(id)) };
}

interface Step {
  readonly changes: readonly Change[];
  readonly left: readonly Window[];
}

/** Reads windows to their ends, one page a step. Ids that pass are added to `seen`. */
async function* readWindows(
  source: DeltaSource,
  windows: readonly Window[],
  firstPages: readonly QueryPage[],
  seen: Set<string> | null,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  const { client, dataset, pageRows } = source;
  for (const [index, window] of windows.entries()) {
    const others = windows.slice(index + 1);
    let page = firstPages[index];
    for (let rest: Window | null = window; rest !== null; page = undefined) {
      if (page === undefined) {
        const { replies } = await client.composite([windowPart(source, rest)], signal);
        page = queryPage(replies[0]!, `reading ${dataset.object}`);
      }
      const changes = page.records.map((record) => changeOf(source, record));
      for (const change of changes) seen?.add(change.key);
      // The server may send fewer than asked for: only an answer that is whole and not full ends the window.
      const last = page.nextUrl === null && page.records.length < pageRows ? undefined : changes.at(-1);
      rest = last === undefined ? null : { ...rest, after: [last.stampMs, last.key] };
      yield { changes, left: rest === null ? others : [rest, ...others] };
    }
  }
}

function windowPart(source: DeltaSource, window: Window): Subrequest {
  const { dataset, filter, pageRows } = source;
  const { object, stampField, softDeletes, schema } = dataset;
  const names = window.kind === 'deleted' ? ['Id', stampField] : schema.fields.map((field) => field.name);
  const fields = softDeletes && !names.includes('IsDeleted') ? [...names, 'IsDeleted'] : names;
  const wanted = filter?.text(window.from);
  const where = [
    window.after === null ? `${stampField} >= ${datetime(window.from)}` : after(stampField, ...window.after),
    window.until === null ? undefined : `${stampField} < ${datetime(window.until)}`,
    window.kind === 'deleted' ? 'IsDeleted = true' : undefined,
    window.kind === 'deleted' || wanted === undefined
      ? undefined
      : softDeletes && !filter!.hasSubselect
        ? `(${wanted}) OR IsDeleted = true`
        : wanted,
  ];
  const soql = selectText({ fields, object, where, orderBy: [stampField, 'Id'], limit: pageRows });
  return queryPart('queryAll', soql, `reading ${object}`);
}

function changeOf(source: DeltaSource, record: QueryPage['records'][number]): Change {
  const key = String(record.Id);
  const stampMs = stampOf(source, record);
  if (record.IsDeleted === true) return { op: 'delete', key, row: null, stampMs };
  return { op: 'upsert', key, row: rowOfRecord(record, source.dataset.schema.fields), stampMs };
}

function stampOf({ dataset }: DeltaSource, record: QueryPage['records'][number]): number {
  const stampMs = Date.parse(String(record[dataset.stampField]).replace('+0000', 'Z'));
  if (Number.isNaN(stampMs)) throw new TruncatedReplyError(`a record of ${dataset.object} came without ${dataset.stampField}`);
  return stampMs;
}

function minuteOf(ms: number): number {
  return Math.floor(ms / minuteMs) * minuteMs;
}
