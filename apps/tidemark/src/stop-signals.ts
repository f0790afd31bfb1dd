/** The user's wish to end: the first signal asks for a clean stop, the second one ends at once. */
export interface StopSignals extends Disposable {
  /** Aborts at the first signal, and when nobody reads standard output any more. */
  readonly stop: AbortSignal;
}

const EXIT_INTERRUPTED = 130;

/** @param onFirst  hears, in words, why the stop begins. */
export function listenForStop(onFirst: (why: string) => void): StopSignals {
  const controller = new AbortController();
  // `| head` has seen enough. Nobody is there to ask twice, and nobody to read a complaint.
  const handleClosed = () => {
    if (controller.signal.aborted) return;
    controller.abort(new Error('standard output was closed'));
    onFirst('nobody reads standard output any more: stopping');
  };
  const handle = () => {
    // Nothing is lost by ending at once: what was not committed is read again by the next run.
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort(new Error('stopped by signal'));
    onFirst('stopping after what is under way; once more to stop at once');
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  process.stdout.on('error', handleClosed);
  return {
    stop: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
      process.stdout.off('error', handleClosed);
    },
  };
}
