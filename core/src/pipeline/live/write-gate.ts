/** So many keys are remembered, and up to twice as many; of what lies further back every record counts as touched. */
const KEYS_MIN = 50_000;

/**
 * Keeps the two feeds of one sync apart: its stream and its polls. They write one after the other, and a poll learns which of the
 * records that it has read were written by the stream since: what it holds of them may be older, and is read again (P3).
 */
export class WriteGate {
  readonly #process: string;
  #signed = 0;
  /** Polls that read. What the stream writes while there is none need not be remembered. */
  #watches = 0;
  /** The last sequence at which the stream wrote a key. Full, it becomes the older of the two, and the older is forgotten. */
  #touched = new Map<string, number>();
  #touchedBefore: ReadonlyMap<string, number> = new Map();
  /** Where `#touched` began. */
  #begun = 0;
  #sequence = 0;
  /** Below this, keys have been forgotten. */
  #forgotten = 0;
  #last: Promise<void> = Promise.resolve();

  /** Turns that polls have had: what they may have changed beside the data is to be looked at again. */
  polls = 0;

  /** @param process  this one, among those that may run the same sync */
  constructor(process: string) {
    this.#process = process;
  }

  /** What a poll keeps with all that it writes. Never the same again, so that nothing is taken for what it was before. */
  sign(): string {
    return `${this.#process}.${++this.#signed}`;
  }

  /** A poll's turn: `work` runs when everything that came before it has ended. Not reentrant. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.enter();
    try {
      return await work();
    } finally {
      this.polls++;
      leave();
    }
  }

  /** Waits for its turn; the answer ends it. */
  async enter(): Promise<() => void> {
    const before = this.#last;
    let leave!: () => void;
    this.#last = new Promise((resolve) => {
      leave = resolve;
    });
    await before;
    return leave;
  }

  /** A poll begins to read, until this is disposed of: points from now on can be asked about. */
  watch(): Disposable {
    if (this.#watches++ === 0) this.#forgotten = this.#begun = this.#sequence;
    return {
      [Symbol.dispose]: () => {
        if (--this.#watches > 0) return;
        this.#touched = new Map();
        this.#touchedBefore = new Map();
      },
    };
  }

  /** Another process has followed the stream: whatever a poll has read by now, that one may have written since. */
  followedElsewhere(): void {
    this.#forgotten = ++this.#sequence;
  }

  /** A point in the order of the stream's writes. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The stream has written these. */
  touch(changes: Iterable<{ readonly key: string }>): void {
    this.#sequence++;
    if (this.#watches === 0) return;
    for (const { key } of changes) this.#touched.set(key, this.#sequence);
    if (this.#touched.size < KEYS_MIN) return;
    this.#forgotten = this.#begun;
    this.#begun = this.#sequence;
    this.#touchedBefore = this.#touched;
    this.#touched = new Map();
  }

  /** Whether the stream has written this record after that point, as far as is known. For who watches. */
  touchedSince(sequence: number, key: string): boolean {
    return sequence < this.#forgotten || (this.#touched.get(key) ?? this.#touchedBefore.get(key) ?? 0) > sequence;
  }
}
