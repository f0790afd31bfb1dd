import { Bell } from './bell.ts';

export interface GatherLimit<Each> {
  /** So much is read and not yet taken, at most; then nothing more is asked for. */
  readonly max: number;
  sizeOf(each: Each): number;
}

/** What was read and not yet taken. */
export interface Waiting<Each, Taken> {
  readonly empty: boolean;
  /** Nothing more is asked for until something was taken. */
  readonly full: boolean;
  add(each: Each): void;
  /** What is to be handed over together. */
  take(): Taken;
}

/**
 * Reads on while the consumer works, and hands over together what has come meanwhile: what comes alone is handed over at once, and
 * under load fewer steps do the same work. An error comes after all that was read before it. When the consumer leaves, the read under
 * way is aborted and awaited.
 */
export async function* gatheredIn<Each, Taken>(
  waiting: Waiting<Each, Taken>,
  read: (signal: AbortSignal) => AsyncIterable<Each>,
  signal: AbortSignal,
): AsyncGenerator<Taken> {
  const left = new AbortController();
  const arrived = new Bell();
  const taken = new Bell();
  let done = false;
  let failure: { readonly error: unknown } | null = null;

  const readOn = async () => {
    try {
      for await (const each of read(AbortSignal.any([signal, left.signal]))) {
        waiting.add(each);
        arrived.ring();
        while (waiting.full && !left.signal.aborted) await taken.heard();
        if (left.signal.aborted) return;
      }
    } catch (error) {
      failure = { error };
    } finally {
      done = true;
      arrived.ring();
    }
  };
  const reading = readOn();
  try {
    for (;;) {
      while (waiting.empty && !done) await arrived.heard();
      if (waiting.empty) break;
      const all = waiting.take();
      taken.ring();
      yield all;
    }
    if (failure !== null) throw (failure as { error: unknown }).error;
  } finally {
    left.abort();
    taken.ring();
    await reading;
  }
}

/** As `gatheredIn`: all that waits is handed over, in the order in which it came. */
export function gathered<Each>(
  read: (signal: AbortSignal) => AsyncIterable<Each>,
  { max, sizeOf }: GatherLimit<Each>,
  signal: AbortSignal,
): AsyncGenerator<readonly Each[]> {
  let waiting: Each[] = [];
  let size = 0;
  const all: Waiting<Each, readonly Each[]> = {
    get empty() {
      return waiting.length === 0;
    },
    get full() {
      return size >= max;
    },
    add(each) {
      waiting.push(each);
      size += sizeOf(each);
    },
    take() {
      const taken = waiting;
      [waiting, size] = [[], 0];
      return taken;
    },
  };
  return gatheredIn(all, read, signal);
}
