/** A first question after so long; none sooner than that after another; none later. Each is an API call (P8). */
const firstMs = 500;
const waitMsMin = 100;
const waitMsMax = 15_000;
/** Without news, each wait is so many times the one before. */
const growth = 1.6;
/** No wait is shorter than this share of all the waiting so far, however near the end seems. */
const shareMin = 0.05;
/** The first question about a job comes a little before the last one's time is over: it may be quicker. */
const eager = 0.9;
/** Others a little after the end that is expected: a question too early is another call. */
const late = 1.05;

/** What the jobs of one target have taught about the next. */
export interface JobExperience {
  msPerRecord: number;
}

/**
 * When to ask for a job's state: at first after the time that the job before took for so many records, then when its own progress says
 * that it will have ended, and less and less often while it says nothing.
 */
export class JobPace {
  readonly #records: number;
  readonly #startedAtMs: number;
  readonly #experience: JobExperience | undefined;
  #grownMs = firstMs;
  #lastAtMs: number;
  #lastDone = 0;

  /** @param records  in the job; 0 when nobody knows */
  constructor(records: number, nowMs: number, experience?: JobExperience) {
    this.#records = records;
    this.#startedAtMs = nowMs;
    this.#lastAtMs = nowMs;
    this.#experience = experience;
  }

  firstWaitMs(): number {
    const expectedMs = (this.#experience?.msPerRecord ?? 0) * this.#records * eager;
    return Math.min(waitMsMax, Math.max(firstMs, expectedMs));
  }

  /** @param done  records of the job that the org has got to */
  nextWaitMs(done: number, nowMs: number): number {
    const waitedMs = Math.max(0, nowMs - this.#startedAtMs);
    this.#grownMs = Math.min(waitMsMax, this.#grownMs * growth);
    const leftMs = this.#leftMs(done, nowMs);
    this.#lastAtMs = nowMs;
    this.#lastDone = done;
    return Math.min(waitMsMax, Math.max(waitMsMin, waitedMs * shareMin, leftMs));
  }

  ended(nowMs: number): void {
    if (this.#experience !== undefined && this.#records > 0)
      this.#experience.msPerRecord = Math.max(0, nowMs - this.#startedAtMs) / this.#records;
  }

  /** While a job waits for its turn it gets to no records, and that time says nothing of how long the rest takes. */
  #leftMs(done: number, nowMs: number): number {
    const fresh = done - this.#lastDone;
    const sinceMs = nowMs - this.#lastAtMs;
    if (this.#records === 0 || fresh <= 0 || sinceMs <= 0) return this.#grownMs;
    // What a job does first it may do slowly: an estimate is trusted for as long as there has been to see.
    const seenMs = Math.max(firstMs, nowMs - this.#startedAtMs);
    return Math.min(seenMs, (((this.#records - done) * sinceMs) / fresh) * late);
  }
}
