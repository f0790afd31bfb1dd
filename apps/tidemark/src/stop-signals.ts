/** The user's wish to end: the first signal asks for a clean stop, the second one ends at once. */
export interface StopSignals extends Disposable {
  /** Aborts at the first signal. */
  readonly stop: AbortSignal;
}

const EXIT_INTERRUPTED = 130;

export function listenForStop(onFirst: () => void): StopSignals {
  const controller = new AbortController();
  const handle = () => {
    // Nothing is lost by ending at once: what was not committed is read again by the next run.
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort(new Error('stopped by signal'));
    onFirst();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    stop: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}
