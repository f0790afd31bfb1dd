import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, type RetryPolicy } from '../../base/retry.ts';
import type { Log } from '../../model/log.ts';
import type { NotificationStore } from '../../store/notification-store.ts';
import type { Notification } from './notification.ts';
import type { Receiver } from './receiver.ts';

/** A sending that takes longer has come to nothing: then another process may try. */
const TURN_MS = 90_000;
/** What other processes have found is sent by whoever looks first. */
const LOOK_MS = 15_000;
const RETRY: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 5_000, delayMsMax: 900_000 };

export interface DeliverOptions {
  readonly store: NotificationStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly stop: AbortSignal;
  /** Aborts when there is something new. */
  news(): AbortSignal;
}

/** Sends a receiver what waits for it, in order, until `stop`; what cannot be sent is sent later. Never rejects. */
export async function deliver(name: string, receiver: Receiver, options: DeliverOptions): Promise<void> {
  const { clock, stop, news } = options;
  while (!stop.aborted) {
    const wake = news();
    if (await sendNext(name, receiver, options)) continue;
    await clock.sleep(LOOK_MS, AbortSignal.any([stop, wake])).catch(() => {});
  }
}

/** @returns whether there may be more to send at once */
async function sendNext(name: string, receiver: Receiver, { store, clock, random, log, stop }: DeliverOptions): Promise<boolean> {
  try {
    const turn = await store.takeTurn(name, clock.now(), clock.now() + TURN_MS);
    if (turn === null) return false;
    try {
      const notifications = turn.notifications.map(({ body }) => JSON.parse(body) as Notification);
      await receiver.send(notifications, stop);
    } catch (error) {
      const waitMs = Math.max(1000, backoffMs(turn.attempt, RETRY, random));
      await store.postpone(name, clock.now() + (stop.aborted ? 0 : waitMs));
      if (!stop.aborted)
        log.warn({ receiver: name, attempt: turn.attempt, waitMs, err: error }, 'somebody could not be told what is wrong');
      return false;
    }
    await store.told(
      name,
      turn.notifications.map(({ id }) => id),
    );
    return true;
  } catch (error) {
    log.warn({ receiver: name, err: error }, 'what is to be told could not be read, which is tried again');
    return false;
  }
}
