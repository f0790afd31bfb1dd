import type { StreamChange, StreamEvent } from '../../model/stream.ts';
import type { Folded } from './fold-events.ts';
import type { Taken } from './inbox.ts';
import { type Reread, wider } from './live-envelope.ts';
import type { HoleCause, LiveProgress } from './live-status.ts';
import type { LiveSync } from './live-sync.ts';
import type { Rereads } from './rereads.ts';

/** Events that are written together, and what they mean, sync by sync. */
export interface Batch {
  readonly work: Map<LiveSync, Folded>;
  /** How many of them. */
  size: number;
  /** That name records and no values: these are read. */
  gaps: number;
  /** When the last one was committed; 0 where it does not say. */
  lastCommittedAtMs: number;
  /** As they came, for whoever keeps them; none otherwise. */
  readonly events: StreamEvent[];
  /** Where to go on once they, and all before them, are kept. */
  position: string;
  /** They end where a transaction of the source ends (P6). */
  whole: boolean;
  /**
   * Syncs to be read again because of them: not before they are written. What is read is newer than all of them, and they may be
   * folded across what was not told, so that their stamps do not say so (P3).
   */
  readonly rereads: Map<string, Reread>;
  /** Changes that are ready to be written; with any of them, nothing is added any more. */
  readonly ready: Map<LiveSync, readonly StreamChange[]>;
}

export interface GathererParts {
  readonly syncs: readonly LiveSync[];
  /** Syncs that stand aside, and their datasets: of what is told they note only what no delta would show them. */
  readonly aside: ReadonlyMap<string, string>;
  readonly rereads: Rereads;
  readonly status: LiveProgress;
  /** Somebody keeps the events themselves. */
  readonly keepsEvents: boolean;
}

/** Tells what events mean for each sync, while those before them are still being written. */
export class Gatherer {
  readonly #parts: GathererParts;
  readonly #byDataset = new Map<string, LiveSync[]>();

  constructor(parts: GathererParts) {
    this.#parts = parts;
    for (const sync of parts.syncs) this.#byDataset.set(sync.dataset, [...(this.#byDataset.get(sync.dataset) ?? []), sync]);
  }

  /** Adds to what waits. */
  async add(waiting: Batch | null, { events, position, whole }: Taken): Promise<Batch> {
    const batch: Batch = waiting ?? {
      work: new Map(),
      size: 0,
      gaps: 0,
      lastCommittedAtMs: 0,
      events: [],
      position,
      whole,
      rereads: new Map(),
      ready: new Map(),
    };
    batch.position = position;
    batch.whole = whole;
    batch.size += events.length;
    const { rereads, keepsEvents, aside } = this.#parts;
    for (const event of events) {
      if (keepsEvents) batch.events.push(event);
      if (event.op === 'gap') batch.gaps++;
      // One of which not even the header could be read tells no time.
      batch.lastCommittedAtMs = event.committedAtMs;
      if (event.op === 'wildcard') {
        for (const [sync, dataset] of aside) if (dataset === event.dataset) mark(batch, sync, 'full');
      }
      for (const sync of this.#byDataset.get(event.dataset) ?? []) {
        // First of all the hole: not even a first load that is under way is sure to have read behind it.
        if (this.#isHole(batch, event, sync) || rereads.isLoading(sync.name)) continue;
        if (rereads.isPaused(sync.name)) {
          mark(batch, sync.name, 'delta');
          continue;
        }
        const computed = sync.fold(foldedOf(batch, sync), event);
        if (computed !== undefined) await computed;
      }
    }
    return batch;
  }

  /** An event that does not name its records: the sync is read again, and that is kept with the position that passes the event. */
  #isHole(batch: Batch, event: StreamEvent, sync: LiveSync): boolean {
    if (event.op === 'overflow') {
      this.#tellHole('overflow', event, sync);
      // Its deltas may have passed it while older events were still to come, which then came over what they had read.
      mark(batch, sync.name, { sinceMs: event.committedAtMs });
    } else if (event.op === 'wildcard') {
      // A change of all records of a kind, by the system itself: no stamp tells of it.
      this.#tellHole('gap', event, sync);
      mark(batch, sync.name, 'full');
    } else return false;
    return true;
  }

  /** Once, whoever listens for it. */
  #tellHole(cause: HoleCause, event: StreamEvent, sync: LiveSync): void {
    const all = this.#byDataset.get(event.dataset)!;
    if (sync !== all[0]) return;
    const names = all.map(({ name }) => name);
    this.#parts.status.hole(cause, names);
  }
}

function mark({ rereads }: Batch, sync: string, kind: Reread): void {
  rereads.set(sync, wider(rereads.get(sync) ?? kind, kind));
}

function foldedOf({ work }: Batch, sync: LiveSync): Folded {
  const known = work.get(sync);
  if (known !== undefined) return known;
  const folded: Folded = new Map();
  work.set(sync, folded);
  return folded;
}
