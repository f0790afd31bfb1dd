import { RequestRefusedError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import type { SyncConfig } from '../config/config.ts';
import type { PairingConfig } from '../config/pairing.ts';
import { NO_STAMP } from '../model/change.ts';
import type { LastWrite, Source, Target } from '../model/connector.ts';
import type { FieldValue, Row } from '../model/value.ts';
import { isReady } from '../pipeline/prepare-target.ts';
import { recordNamed } from '../pipeline/two-way/failures.ts';
import type { Base } from '../pipeline/two-way/merge-record.ts';
import type { Conflict, Link } from '../store/links.ts';
import type { Failure } from '../store/store.ts';
import type { EngineParts } from './engine-options.ts';
import { liveUnit } from './follow-streams.ts';
import { closePairing, openPairing } from './open-pairing.ts';
import { openJournal } from './open-replay.ts';
import { remedyOf } from './remedy.ts';
import { endsOf } from './sync-outline.ts';
import type { Syncs } from './syncs.ts';

/** A record as one side holds it now. */
export interface HeldRecord {
  /** `crm Contact`. */
  readonly name: string;
  /** Null: there is none, or it could not be read, which `error` says then. */
  readonly row: Row | null;
  readonly error: string | null;
}

export interface StoryEntry {
  readonly atMs: number;
  /**
   * An event of the source; what a merge has decided; what both sides agree on; the last that was written; a write and its reply that
   * did not go well.
   */
  readonly kind: 'event' | 'decision' | 'agreed' | 'written' | 'refused';
  readonly title: string;
  readonly detail: string | null;
  readonly values: { readonly [name: string]: unknown };
}

/** One record on both sides, and what has happened to it as far as that is kept. */
export interface RecordStory {
  readonly sync: string;
  readonly key: string;
  readonly sides: readonly HeldRecord[];
  /** The newest first. */
  readonly story: readonly StoryEntry[];
  /** How much of the journal was looked through; null where no events are kept. */
  readonly lookedThrough: string | null;
}

type Parts = EngineParts & { readonly syncs: Syncs };

/** Of all that a journal keeps, so many of the newest events are looked through for those of one record. */
const EVENTS_MAX = 20_000;
const EVENTS_AT_ONCE = 1_000;

/** @param key  as failures name it: the left side's, or, where only the right one has it, that key behind a colon */
export async function recordStory(name: string, key: string, parts: Parts, signal: AbortSignal): Promise<RecordStory> {
  const { store, config } = parts;
  const failures = (await store.failures({ sync: name, keys: [key] })).flatMap(refusals);
  const pairing = config.pairings.get(name);
  if (pairing !== undefined) {
    const link = await linkOf(name, key, parts);
    const keys = { leftKey: link?.leftKey ?? key, rightKey: link?.rightKey ?? '' };
    const conflicts = link === null ? [] : await store.links.conflicts({ sync: name, keys: [keys] });
    const ends = endsOf(config, name);
    const story = [
      ...failures,
      ...conflicts.map((conflict) => decision(conflict, ends)),
      ...(link === null ? [] : [agreement(link)]),
    ];
    return {
      sync: name,
      key,
      sides: await pairSides(pairing, link, key, parts, signal),
      story: newestFirst(story),
      lookedThrough: null,
    };
  }
  const sync = parts.syncs.get(name);
  const { events, lookedThrough } = await eventsOf(sync, key, parts, signal);
  const { sides, written } = await syncSides(sync, key, parts, signal);
  return { sync: name, key, sides, story: newestFirst([...events, ...written, ...failures]), lookedThrough };
}

/** @param story  of the same instant, in the order in which it happened */
function newestFirst(story: readonly StoryEntry[]): readonly StoryEntry[] {
  return story.toSorted((a, b) => a.atMs - b.atMs).reverse();
}

async function linkOf(sync: string, key: string, { store }: Parts): Promise<Link | null> {
  const own = recordNamed(key);
  const found = await (own.side === 'right'
    ? store.links.linksByRight(sync, [own.key])
    : store.links.linksByLeft(sync, [own.key]));
  return found[0] ?? null;
}

interface KnownOfRecord {
  readonly sides: readonly HeldRecord[];
  readonly written: readonly StoryEntry[];
}

async function syncSides(sync: SyncConfig, key: string, { syncs, config }: Parts, signal: AbortSignal): Promise<KnownOfRecord> {
  const ends = endsOf(config, sync.name);
  const { from, to } = ends;
  try {
    return await syncs.opening(sync, signal, async ({ source, target }) => {
      const left = await held(from, () => readSource(source, key, signal));
      const right = await held(to, () => readTarget(target, key));
      // What could not be read tells nothing of its writes either, and what does not tell them was read all the same.
      const last = right.error === null ? await target.lastWrite?.(key).catch(() => null) : null;
      return { sides: [left, right], written: last == null ? [] : writes(last, ends) };
    });
  } catch (error) {
    return { sides: [from, to].map((name) => unread(name, error)), written: [] };
  }
}

async function pairSides(
  config: PairingConfig,
  link: Link | null,
  key: string,
  parts: Parts,
  signal: AbortSignal,
): Promise<HeldRecord[]> {
  const names = endsOf(parts.config, config.name);
  const own = recordNamed(key);
  const keys = { left: null, right: null, [own.side]: own.key, ...(link && { left: link.leftKey, right: link.rightKey }) };
  try {
    const pairing = await openPairing(config, parts, signal);
    try {
      const read = (side: 'left' | 'right', name: string) =>
        held(name, async () => (keys[side] === null ? null : readSource(pairing[side].source, keys[side], signal)));
      return [await read('left', names.from), await read('right', names.to)];
    } finally {
      await closePairing(pairing);
    }
  } catch (error) {
    return [unread(names.from, error), unread(names.to, error)];
  }
}

async function readSource(source: Source, key: string, signal: AbortSignal): Promise<Row | null> {
  if (source.readKeys === undefined) throw new RequestRefusedError('it cannot be read by key');
  return (await source.readKeys([key], signal))[0]?.row ?? null;
}

async function readTarget(target: Target, key: string): Promise<Row | null> {
  if (target.read === undefined) throw new RequestRefusedError('it does not tell what it holds');
  // Whoever looks changes nothing: to prepare what is as it should be only finds out where the fields lie.
  if (!isReady(await target.plan())) throw new RequestRefusedError('the next run has to make it, or to widen it, first');
  await target.prepare();
  return (await target.read([key])).get(key) ?? null;
}

async function held(name: string, read: () => Promise<Row | null>): Promise<HeldRecord> {
  try {
    return { name, row: await read(), error: null };
  } catch (error) {
    return unread(name, error);
  }
}

function unread(name: string, error: unknown): HeldRecord {
  return { name, row: null, error: scrub(error instanceof Error ? error.message : String(error)) };
}

/** Of the first try, and of the last where there were several. */
function refusals(failure: Failure): StoryEntry[] {
  const { firstAtMs, lastAtMs, attempts, place, code, message, op, row } = failure;
  const what = op === 'delete' ? 'the delete' : 'the write';
  const first: StoryEntry = {
    atMs: firstAtMs,
    kind: 'refused',
    title: `${what} was refused by ${place} for the first time`,
    detail: null,
    values: {},
  };
  const last: StoryEntry = {
    atMs: lastAtMs,
    kind: 'refused',
    title: `${what} was refused by ${place}, after ${attempts} ${attempts === 1 ? 'try' : 'tries'}`,
    detail: `${code}: ${message}. ${remedyOf(failure)}`,
    values: row ?? {},
  };
  return attempts === 1 ? [last] : [first, last];
}

/**
 * What a target knows of its last write by itself. The times are the source's; of a record that was found gone, when it was marked.
 * Which run has written a record, and when, is kept for no single one, since that would be one more write for each.
 */
function writes({ stampMs, deletedAtMs }: LastWrite, { from, to }: { from: string; to: string }): StoryEntry[] {
  const entry = { kind: 'written', detail: null, values: {} } as const;
  if (deletedAtMs !== null) return [{ ...entry, atMs: deletedAtMs, title: `marked as deleted in ${to}` }];
  return stampMs === NO_STAMP
    ? []
    : [{ ...entry, atMs: stampMs, title: `last written to ${to}: as ${from} had it at this time` }];
}

function decision(
  { field, base, left, right, state, outcome, why, atMs }: Conflict,
  ends: { from: string; to: string },
): StoryEntry {
  const what = field ?? 'whether it exists';
  return {
    atMs,
    kind: 'decision',
    title: state === 'open' ? `both sides changed ${what}: it waits for a decision` : `both sides changed ${what}: decided`,
    detail: why,
    values: {
      [ends.from]: left,
      [ends.to]: right,
      'agreed before': base,
      ...(state === 'open' ? {} : { 'what stands': outcome }),
    },
  };
}

function agreement({ base, gone, changedAtMs }: Link): StoryEntry {
  const agreed = Object.entries(JSON.parse(base) as Base).map(([field, { left }]): [string, FieldValue] => [field, left]);
  return {
    atMs: changedAtMs,
    kind: 'agreed',
    title:
      gone === null
        ? 'written, and acknowledged: both sides agree'
        : `gone on ${gone === 'both' ? 'both sides' : `the ${gone} side`}`,
    detail: null,
    values: gone === null ? Object.fromEntries(agreed) : {},
  };
}

/** What its source told of a record, as far as the journal keeps it. */
async function eventsOf(
  sync: SyncConfig,
  key: string,
  parts: Parts,
  signal: AbortSignal,
): Promise<{ events: StoryEntry[]; lookedThrough: string | null }> {
  if (!sync.live || sync.journalMs === null) return { events: [], lookedThrough: null };
  const { journal } = parts.store;
  const { dataset, read } = await openJournal(sync, parts, signal);
  const events: StoryEntry[] = [];
  const oldest = Math.max(0, (await journal.lastSeq()) - EVENTS_MAX);
  let afterSeq = oldest;
  for (;;) {
    const page = await journal.read({ stream: liveUnit(sync), dataset, afterSeq, limit: EVENTS_AT_ONCE });
    for (const kept of page) {
      afterSeq = kept.seq;
      // One that nobody can read may be about any record.
      const event = await Promise.resolve(read(kept, kept.replayId)).catch(() => null);
      if (event === null || !event.keys.includes(key)) continue;
      events.push({
        atMs: kept.committedAtMs,
        kind: 'event',
        title: `${event.op} in ${kept.dataset}`,
        detail: event.untold.length === 0 ? null : `and ${event.untold.join(', ')}, which the event does not tell`,
        values: event.row ?? {},
      });
    }
    if (page.length < EVENTS_AT_ONCE) break;
  }
  const lookedThrough =
    oldest > 0 ? `The newest ${EVENTS_MAX.toLocaleString('en')} events of the journal were looked through.` : null;
  return { events, lookedThrough };
}
