import { type Priority, priorities } from '../../base/caller.ts';
import type { CountedCalls } from '../../store/call-store.ts';

/** What a system allows, it allows within any stretch of so much time. */
export const WINDOW_MS = 24 * 3_600_000;
/** Calls are counted by stretches of this length: a day is a hundred numbers. A call counts until the last of its stretch is a day old. */
export const STRETCH_MS = 900_000;

/** The calls of ours of the last 24 hours: of this process, and of others as far as they have told. */
export class CallLedger {
  /** As the store has it, by priority and beginning. */
  #kept = new Map<string, CountedCalls>();
  /** Made since, and not told yet. */
  #new = new Map<string, CountedCalls>();

  add(priority: Priority, nowMs: number): void {
    const fromMs = nowMs - (nowMs % STRETCH_MS);
    const name = `${priority} ${fromMs}`;
    this.#new.set(name, { priority, fromMs, calls: (this.#new.get(name)?.calls ?? 0) + 1 });
  }

  /** What the store is to be told. It counts here until `replace` says that the store has it. */
  untold(): readonly CountedCalls[] {
    return [...this.#new.values()];
  }

  /** The store was told of these, and then had those. */
  replace(told: readonly CountedCalls[], kept: readonly CountedCalls[]): void {
    for (const each of told) {
      const name = `${each.priority} ${each.fromMs}`;
      const calls = (this.#new.get(name)?.calls ?? 0) - each.calls;
      if (calls > 0) this.#new.set(name, { ...each, calls });
      else this.#new.delete(name);
    }
    this.#kept = new Map(kept.map((each) => [`${each.priority} ${each.fromMs}`, each]));
  }

  /** Within the window that ends now. */
  total(nowMs: number): number {
    return this.since(nowMs - WINDOW_MS - STRETCH_MS);
  }

  byPriority(nowMs: number): Readonly<Record<Priority, number>> {
    const counts = { live: 0, delta: 0, refresh: 0, full: 0 };
    for (const { priority, fromMs, calls } of this.#all()) {
      if (fromMs > nowMs - WINDOW_MS - STRETCH_MS && isPriority(priority)) counts[priority] += calls;
    }
    return counts;
  }

  /** In stretches that began after this; of one priority, or of all. */
  since(fromMs: number, priority?: Priority): number {
    let sum = 0;
    for (const each of this.#all()) {
      if (each.fromMs > fromMs && (priority === undefined || each.priority === priority)) sum += each.calls;
    }
    return sum;
  }

  /** When so many of them will count no more: the first instant at which `enough` of those that count now are out of the window. */
  freeAtMs(enough: number, nowMs: number, of: readonly Priority[] = priorities): number | null {
    let sum = 0;
    for (const { atMs, calls } of this.leaving(nowMs, of)) {
      sum += calls;
      if (sum >= enough) return atMs;
    }
    return null;
  }

  /** What leaves the window, and when, from the first to the last. */
  leaving(nowMs: number, of: readonly string[] = priorities): readonly { readonly atMs: number; readonly calls: number }[] {
    const counting = [...this.#all()].filter(
      ({ fromMs, priority }) => fromMs > nowMs - WINDOW_MS - STRETCH_MS && of.includes(priority),
    );
    return counting
      .sort((a, b) => a.fromMs - b.fromMs)
      .map(({ fromMs, calls }) => ({ atMs: fromMs + WINDOW_MS + STRETCH_MS, calls }));
  }

  *#all(): Iterable<CountedCalls> {
    yield* this.#kept.values();
    yield* this.#new.values();
  }
}

function isPriority(text: string): text is Priority {
  return (priorities as readonly string[]).includes(text);
}
