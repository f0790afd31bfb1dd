import { type RunScope, StoppedError } from './opened-sync.ts';

/**
 * What a source gives, piece by piece. A stop ends the wait for the next piece at once, however long the source would take to
 * prepare it; a piece that has come is worked on to its end.
 */
export async function* untilStopped<T>(
  read: (signal: AbortSignal) => AsyncIterable<T>,
  { signal, reading, stopping }: Pick<RunScope, 'signal' | 'reading' | 'stopping'>,
): AsyncGenerator<T> {
  const left = new AbortController();
  let isWaiting = true;
  const leave = () => {
    if (isWaiting) left.abort(new StoppedError());
  };
  if (reading.aborted) leave();
  reading.addEventListener('abort', leave);
  try {
    for await (const piece of read(AbortSignal.any([signal, left.signal]))) {
      isWaiting = false;
      yield piece;
      if (stopping()) throw new StoppedError();
      isWaiting = true;
    }
    // A source may answer an abort by ending early: what it gave is then not all there is.
    left.signal.throwIfAborted();
  } finally {
    reading.removeEventListener('abort', leave);
  }
}
