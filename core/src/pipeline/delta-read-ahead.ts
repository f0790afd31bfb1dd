import { gatheredIn, type Waiting } from '../base/gathered.ts';
import type { Batch, Change } from '../model/change.ts';

/** How much may be read and not yet written. Once it is reached, the source is not asked for more. */
export interface ReadAheadLimits {
  readonly changes: number;
  /** Characters of the records' texts, roughly. */
  readonly size: number;
}

/** Batches to be written together, in the order in which they were read. */
export interface Gathered {
  readonly batches: readonly Batch[];
  /** The latest checkpoint among them, and of no batch behind them (P1); null when none may be kept. */
  readonly checkpoint: string | null;
}

/**
 * Reads on while what has been read is written, and hands over together what has come in meanwhile: a quiet delta is written at
 * once, a long one in few large transactions. A crash costs no more than these.
 *
 * No record is twice in what is handed over: whatever happens to one of its changes (a step that fails, a target that refuses)
 * is settled before the next. When the consumer leaves, the read under way is aborted and awaited. An error of the source comes
 * after everything that was read before it.
 */
export function readAhead(
  read: (signal: AbortSignal) => AsyncIterable<Batch>,
  limits: ReadAheadLimits,
  signal: AbortSignal,
): AsyncGenerator<Gathered> {
  return gatheredIn(new WaitingBatches(limits), (either) => toItsEnd(read(either), signal), signal);
}

/** A source may answer an abort by ending early: what it gave is then not all there is. */
async function* toItsEnd(batches: AsyncIterable<Batch>, signal: AbortSignal): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    yield batch;
    signal.throwIfAborted();
  }
  signal.throwIfAborted();
}

/** Batches that were read and not yet taken. */
class WaitingBatches implements Waiting<Batch, Gathered> {
  readonly #limits: ReadAheadLimits;
  #batches: { readonly batch: Batch; readonly size: number }[] = [];
  #changes = 0;
  #size = 0;

  constructor(limits: ReadAheadLimits) {
    this.#limits = limits;
  }

  get empty(): boolean {
    return this.#batches.length === 0;
  }

  get full(): boolean {
    return this.#changes >= this.#limits.changes || this.#size >= this.#limits.size;
  }

  add(batch: Batch): void {
    const size = batch.changes.reduce((sum, change) => sum + sizeOf(change), 0);
    this.#batches.push({ batch, size });
    this.#changes += batch.changes.length;
    this.#size += size;
  }

  /** The first, and as many after it as one write can hold. */
  take(): Gathered {
    const keys = new Set<string>();
    let [count, changes, size] = [0, 0, 0];
    for (const next of this.#batches) {
      changes += next.batch.changes.length;
      size += next.size;
      if (count > 0 && (changes > this.#limits.changes || size > this.#limits.size)) break;
      if (next.batch.changes.some(({ key }) => keys.has(key))) break;
      for (const { key } of next.batch.changes) keys.add(key);
      count++;
    }
    const taken = this.#batches.splice(0, count);
    for (const each of taken) {
      this.#changes -= each.batch.changes.length;
      this.#size -= each.size;
    }
    const batches = taken.map(({ batch }) => batch);
    return { batches, checkpoint: batches.findLast(({ checkpoint }) => checkpoint !== null)?.checkpoint ?? null };
  }
}

function sizeOf({ row }: Change): number {
  let size = 0;
  for (const name in row) {
    const value = row[name];
    if (typeof value === 'string') size += value.length;
    else if (typeof value === 'object' && value !== null) size += JSON.stringify(value).length;
  }
  return size;
}
