import type { Clock } from '../../base/clock.ts';
import type { ReceiverConfig } from '../../config/notifications-config.ts';
import { emailReceiver } from './email-receiver.ts';
import type { Notification } from './notification.ts';
import { webhookReceiver } from './webhook-receiver.ts';

/** The way to somebody who is told. */
export interface Receiver {
  /** Tells all of them in one message. @throws what went wrong, in words without secrets: whoever gets it may be told again */
  send(notifications: readonly Notification[], signal: AbortSignal): Promise<void>;
  /** Whether it can be reached, without telling anything. @throws why not */
  check(signal: AbortSignal): Promise<void>;
}

export interface ReceiverContext {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
}

export function openReceiver({ by }: ReceiverConfig, context: ReceiverContext): Receiver {
  return by.kind === 'webhook' ? webhookReceiver(by, context) : emailReceiver(by);
}
