import { Bell } from './bell.ts';

export interface GatherLimit<Each> {
  /** So much is read and not yet taken, at most; then nothing more is asked for. */
  readonly max: number;
  sizeOf(each: Each): number;
}

/**
 * Reads on while the consumer works, and hands over together what has come meanwhile: what comes alone is handed over at once, and
 * under load fewer steps do the same work. An error comes after all that was read before it. When the consumer leaves, the read under
 * way is aborted and awaited.
 */
export async function* gathered<Each>(
  read: (signal: AbortSignal) => AsyncIterable<Each>,
  { max, sizeOf }: GatherLimit<Each>,
  signal: AbortSignal,
): AsyncGenerator<readonly Each[]> {
  const left = new AbortController();
  const arrived = new Bell();
  const taken = new Bell();
  let waiting: Each[] = [];
  let size = 0;
  let done = false;
  let failure: { readonly error: unknown } | null = null;

  const readOn = async () => {
    try {
      for await (const each of read(AbortSignal.any([signal, left.signal]))) {
        waiting.push(each);
        size += sizeOf(each);
        arrived.ring();
        while (size >= max && !left.signal.aborted) await taken.heard();
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
      while (waiting.length === 0 && !done) await arrived.heard();
      if (waiting.length === 0) break;
      const all = waiting;
      [waiting, size] = [[], 0];
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
