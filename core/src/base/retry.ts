import type { Clock } from './clock.ts';
import { NotConnectedError, OverBudgetError, RateLimitedError, TransientError, TruncatedReplyError } from './errors.ts';
import type { Random } from './random.ts';

export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attemptsMax: number;
  readonly delayMs: number;
  readonly delayMsMax: number;
}

export const defaultRetry: RetryPolicy = { attemptsMax: 8, delayMs: 500, delayMsMax: 60_000 };

/** Whether the same work may succeed when tried again. */
export function isRetryable(error: unknown): boolean {
  return (
    error instanceof TransientError ||
    error instanceof NotConnectedError ||
    error instanceof RateLimitedError ||
    error instanceof TruncatedReplyError
  );
}

/** Full jitter: a random wait below a ceiling that doubles with each attempt, so that clients do not come back in step. */
export function backoffMs(attempt: number, policy: RetryPolicy, random: Random): number {
  return Math.floor(random() * Math.min(policy.delayMsMax, policy.delayMs * 2 ** (attempt - 1)));
}

/**
 * Runs `work` until it succeeds, fails for good, or has used up its attempts.
 * A rate limit waits as long as it says and spends no attempt; an attempt that `progressed` before it failed starts the count
 * anew, so that long work is not given up for faults that lie hours apart. A budget that is spent for hours is waited for elsewhere. `onRetry` hears of each wait before it begins.
 */
export async function retrying<T>(
  work: (attempt: number) => Promise<T>,
  options: {
    clock: Clock;
    random: Random;
    policy?: RetryPolicy;
    signal?: AbortSignal | undefined;
    progressed?: () => boolean;
    onRetry?: (error: unknown, waitMs: number, attempt: number) => void;
  },
): Promise<T> {
  const policy = options.policy ?? defaultRetry;
  for (let attempt = 1; ; ) {
    try {
      return await work(attempt);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (options.progressed?.()) attempt = 1;
      const limited = error instanceof RateLimitedError;
      if (error instanceof OverBudgetError || !isRetryable(error) || (!limited && attempt >= policy.attemptsMax)) throw error;
      const waitMs = limited ? error.retryAfterMs : backoffMs(attempt, policy, options.random);
      options.onRetry?.(error, waitMs, attempt);
      await options.clock.sleep(waitMs, options.signal);
      if (!limited) attempt++;
    }
  }
}
