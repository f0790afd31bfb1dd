import { RequestRefusedError } from '../../base/errors.ts';
import type { EventReader, StreamChange, StreamEvent, StreamWriteResult, StreamWriter } from '../../model/stream.ts';
import type { JournalStore, KeptEvent } from '../../store/journal-store.ts';
import { newFailure } from '../apply.ts';
import { inTurn, type OpenedSync, type RunScope, StoppedError } from '../opened-sync.ts';
import { type KnownRecord, KnownRecords, type Share, WHOLE } from './known-records.ts';
import { leftBehind } from './left-behind.ts';
import type { LeftReason, Planned, ReplayPlan } from './replay-plan.ts';

/** Which records to replay: those with an event between. */
export interface ReplayRange {
  readonly from: ReplayBound | null;
  readonly to: ReplayBound | null;
}

/** When it was committed at the source, or its replay id. */
export type ReplayBound = { readonly kind: 'time'; readonly ms: number } | { readonly kind: 'event'; readonly replayId: string };

/** What came of a replay, beside the counts of its run. */
export interface ReplayOutcome {
  /** Events in the range. */
  events: number;
  /** Of those, such as could not be read any more: nobody knows which records they meant. */
  unreadable: number;
  /** Fields of the target that no event tells: they are as they were. */
  untouched: readonly string[];
  /** When the journal has a hole: what was committed before this is not applied. Epoch ms. */
  holeBeforeMs: number | null;
  /** Records that are not, or not wholly, what the mapping makes of them now. */
  readonly left: Map<string, LeftReason>;
}

export interface ReplayParts {
  readonly journal: JournalStore;
  /** The unit of work whose events they are. */
  readonly stream: string;
  readonly reader: EventReader;
  readonly plan: ReplayPlan;
  /** Null writes nothing, and counts what it would. */
  readonly writer: StreamWriter | null;
  readonly range: ReplayRange;
}

/** Events read at once, records written at once. */
const EVENTS = 1000;
const RECORDS = 500;
/** A record of which new events keep coming is brought by the stream anyway. */
const TRIES = 5;

/**
 * Brings the records of a stretch of the journal to what their events make of them under the sync's mapping as it is now, without
 * asking the source. Each record is taken as its latest event leaves it, whatever the range, and is written under its own stamp: old
 * never overwrites new (P3).
 */
export async function replay(sync: OpenedSync, scope: RunScope, parts: ReplayParts, outcome: ReplayOutcome): Promise<void> {
  const { journal, stream, reader } = parts;
  const isMine = (head: { stream: string; dataset: string }) => head.stream === stream && head.dataset === reader.dataset;
  const head = (await journal.stats()).find(isMine);
  if (head === undefined || head.events === 0) {
    throw new RequestRefusedError(`no event of ${sync.config.name} is kept`, {
      hint: 'events are kept from when `journal:` is set and `tidemark start` runs, until they are older than it says',
    });
  }
  outcome.untouched = parts.plan.untouched;
  const range = await rangeOf(parts, await journal.lastSeq());
  const shares: Share[] = [WHOLE];
  for (let share = shares.pop(); share !== undefined; share = shares.pop()) {
    const isFirst = share === WHOLE;
    const pass = new Pass(sync, scope, parts, range, head.sinceSeq, share);
    await pass.read(head.events, isFirst ? outcome : { ...outcome, left: new Map() });
    shares.push(...pass.records.left);
    await pass.write(outcome);
  }
}

interface SeqRange {
  readonly fromSeq: number;
  readonly fromMs: number;
  readonly toSeq: number;
  readonly toMs: number;
}

async function rangeOf({ journal, stream, range }: ReplayParts, lastSeq: number): Promise<SeqRange> {
  const seqOf = async (bound: ReplayBound | null) => {
    if (bound?.kind !== 'event') return null;
    const seq = await journal.find(stream, bound.replayId.replace(/^\w+:/, ''));
    if (seq === null) {
      throw new RequestRefusedError(`no event with the replay id ${bound.replayId} is kept`, {
        hint: 'tidemark journal tells from when to when events are kept; a time will do as well',
      });
    }
    return seq;
  };
  const msOf = (bound: ReplayBound | null) => (bound?.kind === 'time' ? bound.ms : null);
  return {
    fromSeq: (await seqOf(range.from)) ?? 0,
    fromMs: msOf(range.from) ?? Number.NEGATIVE_INFINITY,
    // What comes later is the stream's own.
    toSeq: Math.min((await seqOf(range.to)) ?? lastSeq, lastSeq),
    toMs: msOf(range.to) ?? Number.POSITIVE_INFINITY,
  };
}

/** One way through the journal, for as many records as memory may hold. */
class Pass {
  readonly records: KnownRecords;
  readonly #sync: OpenedSync;
  readonly #scope: RunScope;
  readonly #parts: ReplayParts;
  readonly #range: SeqRange;
  readonly #sinceSeq: number;
  /** Read up to here. */
  #seq = 0;

  constructor(sync: OpenedSync, scope: RunScope, parts: ReplayParts, range: SeqRange, sinceSeq: number, share: Share) {
    const { schema, derivedFields } = parts.reader;
    this.#sync = sync;
    this.#scope = scope;
    this.#parts = parts;
    this.#range = range;
    // An event that somebody published stands for itself, whatever was lost before or after it.
    this.#sinceSeq = parts.reader.eventsOnly === undefined ? sinceSeq : 0;
    this.records = new KnownRecords(share, { keyField: schema.key[0]!, derived: derivedFields ?? new Map() });
  }

  /** @param estimate  events that the journal holds of the dataset */
  async read(estimate: number, outcome: ReplayOutcome): Promise<void> {
    const { fromSeq, fromMs, toSeq, toMs } = this.#range;
    let read = 0;
    for await (const { kept, event } of this.#events()) {
      const inRange = kept.seq >= fromSeq && kept.seq <= toSeq && kept.committedAtMs >= fromMs && kept.committedAtMs <= toMs;
      if (inRange) outcome.events++;
      if (event === null) {
        if (inRange) outcome.unreadable++;
        this.records.tearAll();
      } else if (kept.seq >= this.#sinceSeq) this.records.add(event, inRange);
      else {
        // A hole follows it: whatever it told may have changed since.
        if (inRange && event.op !== 'wildcard') this.records.select(event.keys);
        outcome.holeBeforeMs = Math.max(outcome.holeBeforeMs ?? 0, kept.committedAtMs);
      }
      if (++read % EVENTS === 0) this.#scope.tally.progress('reading', read, estimate);
    }
    this.records.complete();
  }

  async write(outcome: ReplayOutcome): Promise<void> {
    const { tally } = this.#scope;
    const keys = [...this.records.selected()];
    const failing = await this.#sync.store.failingKeys(this.#sync.config.name);
    let done = 0;
    for (let at = 0; at < keys.length; at += RECORDS) {
      if (this.#scope.stopping()) throw new StoppedError();
      this.#scope.signal.throwIfAborted();
      const batch = keys.slice(at, at + RECORDS);
      tally.read += batch.length;
      for (const key of batch) if (failing.has(key)) outcome.left.set(key, 'failing');
      await this.#writeBatch(
        batch.filter((key) => !failing.has(key)),
        outcome,
      );
      done += batch.length;
      tally.progress('merging', done, keys.length);
    }
  }

  /** Tried again while events of its records come in between: what was written of an older state is taken back first. */
  async #writeBatch(keys: readonly string[], outcome: ReplayOutcome): Promise<void> {
    let open = keys;
    for (let tried = 0; open.length > 0; tried++) {
      const planned = await this.#parts.plan.changes(this.#known(open));
      const touched = await inTurn(this.#sync, () => this.#writeOnce(planned, open, outcome));
      if (touched === null) return;
      if (tried < TRIES) continue;
      for (const key of open) if (touched.has(key)) outcome.left.set(key, 'busy');
      open = open.filter((key) => !touched.has(key));
    }
  }

  #known(keys: readonly string[]): ReadonlyMap<string, KnownRecord> {
    return new Map(keys.map((key) => [key, this.records.get(key)!]));
  }

  /** One transaction. Null when it was committed; otherwise the records of which something newer had come. */
  async #writeOnce(planned: Planned, keys: readonly string[], outcome: ReplayOutcome): Promise<ReadonlySet<string> | null> {
    const { writer } = this.#parts;
    const { config, target, store } = this.#sync;
    const { tally, signal } = this.#scope;
    const { changes } = planned;
    if (writer === null) {
      await leftBehind(this.#sync, planned, null, tally, outcome.left);
      return null;
    }
    const unit = `replay:${config.watermarkKey}`;
    const transaction = await writer.begin(signal);
    const results: StreamWriteResult[] = [];
    try {
      const size = Math.min(config.batchSize ?? Number.POSITIVE_INFINITY, target.batchSizeMax);
      for (let at = 0; at < changes.length; at += size) {
        results.push(...(await transaction.apply(target, changes.slice(at, at + size))));
      }
      // Its rows are locked now: whatever the stream brings of them is in the journal already, or comes after this commit.
      const touched = await this.#catchUp(keys);
      if (touched.size > 0) {
        await transaction.rollback();
        return touched;
      }
      await store.putFailures(this.#failuresOf(planned, results));
      await transaction.commit(unit, this.#scope.epoch, JSON.stringify({ v: 1, replayedAtMs: this.#sync.clock.now() }));
    } catch (error) {
      await transaction.rollback().catch(() => {});
      throw error;
    }
    tally.kept++;
    await leftBehind(this.#sync, planned, results, tally, outcome.left);
    return null;
  }

  #failuresOf({ changes, failures }: Planned, results: readonly StreamWriteResult[]) {
    const rejected = changes.flatMap((change: StreamChange, i) => {
      const result = results[i]!;
      const whole = change.op === 'update' ? { ...change, op: 'upsert' as const } : change;
      return result.status === 'rejected' ? [newFailure(this.#sync, whole, result.reason, 'target')] : [];
    });
    const stepped = failures.map(({ place, code, message, ...change }) =>
      newFailure(this.#sync, { op: 'upsert', ...change }, { code, message }, place),
    );
    return [...rejected, ...stepped];
  }

  /** Takes in what the journal has got since, and answers which of these records it is about. */
  async #catchUp(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const mine = new Set(keys);
    const touched = new Set<string>();
    for await (const { event } of this.#events()) {
      const about = event === null ? 'all' : this.records.add(event, false);
      if (event === null) this.records.tearAll();
      for (const key of about === 'all' ? mine : about) if (mine.has(key)) touched.add(key);
    }
    return touched;
  }

  /** From where it stands to the end. An event that cannot be read is null: it may have meant any record. */
  async *#events(): AsyncGenerator<{ kept: KeptEvent; event: StreamEvent | null }> {
    const { journal, stream, reader } = this.#parts;
    for (;;) {
      this.#scope.signal.throwIfAborted();
      const page = await journal.read({ stream, dataset: reader.dataset, afterSeq: this.#seq, limit: EVENTS });
      for (const kept of page) {
        this.#seq = kept.seq;
        const event = await read(reader, kept);
        if (event !== 'other') yield { kept, event };
      }
      if (page.length < EVENTS) return;
    }
  }
}

async function read(reader: EventReader, kept: KeptEvent): Promise<StreamEvent | null | 'other'> {
  try {
    return (await reader.read(kept, kept.replayId)) ?? 'other';
  } catch {
    return null;
  }
}
