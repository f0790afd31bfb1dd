import type { Clock } from '../base/clock.ts';

/** A run's place among those that are made at the same time. */
export interface Place {
  /** Others may have it, though the run goes on: it does nothing but wait. */
  give(): void;
  end(): void;
}

interface Group {
  running: number;
  readonly waiting: (() => void)[];
}

/** Runs of one org at the same time: the others have no less for it. */
const OF_ONE_ORG_MAX = 2;

/**
 * How many runs there may be at once. Who waits is served in turn, org by org, so that one with many syncs, or whose runs take long,
 * keeps no other waiting for longer than its own turn takes.
 */
export class Slots {
  #free: number;
  /** Those with somebody waiting, the next one first. */
  readonly #turns = new Map<string, Group>();
  readonly #groups = new Map<string, Group>();

  constructor(free: number) {
    this.#free = free;
  }

  /** @param org  whose run it is; what belongs to no org is as many as it likes */
  async take(org: string | null = null): Promise<Place> {
    const name = org ?? '';
    const group = this.#groups.get(name) ?? { running: 0, waiting: [] };
    this.#groups.set(name, group);
    if (this.#free > 0 && this.#mayRun(name, group)) this.#begin(group);
    else {
      this.#turns.set(name, group);
      await new Promise<void>((resolve) => group.waiting.push(resolve));
    }
    let isGiven = false;
    const give = () => {
      if (isGiven) return;
      isGiven = true;
      this.#free++;
      this.#serve();
    };
    return {
      give,
      end: () => {
        group.running--;
        if (group.running === 0 && group.waiting.length === 0) this.#groups.delete(name);
        give();
        // Its place may have been given before: then this org may have another one now.
        this.#serve();
      },
    };
  }

  #serve(): void {
    for (const [name, group] of this.#turns) {
      if (this.#free === 0) return;
      if (!this.#mayRun(name, group)) continue;
      this.#turns.delete(name);
      this.#begin(group);
      group.waiting.shift()!();
      // Behind everybody else.
      if (group.waiting.length > 0) this.#turns.set(name, group);
    }
  }

  #mayRun(name: string, group: Group): boolean {
    return name === '' || group.running < OF_ONE_ORG_MAX;
  }

  #begin(group: Group): void {
    this.#free--;
    group.running++;
  }
}

/** Whose turn a run is. */
export interface InTurn {
  /** Of an org, one of many. */
  readonly org?: string;
  /** Whether it waits for nothing but the org, since it began then. */
  isSilent?(startedAtMs: number): boolean;
}

/** How soon it is noticed that a run does nothing but wait. */
const LOOK_MS = 5000;

/** Does the work when it is its turn. While it only waits for an org that does not answer, others have its place. */
export async function inTurn<T>(slots: Slots, { org, isSilent }: InTurn, clock: Clock, work: () => Promise<T>): Promise<T> {
  const place = await slots.take(org);
  const over = new AbortController();
  const startedAtMs = clock.now();
  const watch = async () => {
    while (!over.signal.aborted && isSilent !== undefined) {
      await clock.sleep(LOOK_MS, over.signal).catch(() => {});
      if (!over.signal.aborted && isSilent(startedAtMs)) return place.give();
    }
  };
  const watched = watch();
  try {
    return await work();
  } finally {
    over.abort();
    await watched;
    place.end();
  }
}
