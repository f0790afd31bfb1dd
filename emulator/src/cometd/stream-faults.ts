import type { FaultList } from '../faults/fault-list.ts';
import { numberParameter, textParameter } from '../faults/fault-list.ts';
import type { FiredFault } from '../faults/types.ts';
import { adviceFor, errors } from './errors.ts';
import type { Advice } from './types.ts';

/** How a connect ends that is not answered with events, or not with them alone. */
export interface ConnectError {
  error: string;
  advice: Advice;
}

/** What faults make of the events that a subscription is about to deliver. */
export interface DeliveryStrike {
  silent: boolean;
  duplicate: boolean;
  delayMs: number;
  /** Events of a reply at most. */
  split: number;
  /** After this many events the connect fails, or the connection breaks. */
  end: { with: ConnectError | 'drop'; afterEvents: number } | undefined;
}

const unharmed: DeliveryStrike = { silent: false, duplicate: false, delayMs: 0, split: Number.POSITIVE_INFINITY, end: undefined };

/** The faults of streams are those of the Pub/Sub API; here the RPC is `/meta/connect`, which carries the events. */
export function strikeDelivery(faults: FaultList, topic: string, revoke: () => void): DeliveryStrike {
  const fired = faults.fire('stream', '/meta/connect', topic);
  if (fired.length === 0) return unharmed;
  const strike = { ...unharmed };
  for (const fault of fired) {
    const afterEvents = numberParameter(fault, 'events', 0);
    if (fault.kind === 'stream-silent') strike.silent = true;
    else if (fault.kind === 'stream-duplicate') strike.duplicate = true;
    else if (fault.kind === 'stream-slow') strike.delayMs = numberParameter(fault, 'delayMs', 1000);
    else if (fault.kind === 'stream-split') strike.split = Math.max(1, numberParameter(fault, 'events', 1));
    else if (fault.kind === 'stream-drop') strike.end = { with: 'drop', afterEvents };
    else if (fault.kind === 'stream-error') {
      if (fault.params.revoke === true) revoke();
      strike.end = { with: streamError(fault), afterEvents };
    }
  }
  return strike;
}

/** A gRPC code says little here: the delivery limit has a Bayeux error of its own, all else is a busy server. */
function streamError(fault: FiredFault): ConnectError {
  const isLimit = textParameter(fault, 'code', '').startsWith('subscription.limit');
  const error = textParameter(fault, 'message', isLimit ? errors.deliveriesSpent : errors.busy);
  return { error, advice: adviceFor(error) };
}

/** What a fault says to a message instead of the real answer. */
export interface MessageStrike extends ConnectError {
  /** HTTP status of the reply: mostly 200. */
  status: number;
}

/** `cometd-error`: a Bayeux message is refused with the error that the fault names. */
export function messageStrike(fault: FiredFault, channel: string): MessageStrike {
  const error = textParameter(fault, 'error', errors.busy);
  const usual = channel === '/meta/handshake' ? ({ reconnect: 'none' } as const) : adviceFor(error);
  const reconnect = textParameter(fault, 'reconnect', usual.reconnect) as Advice['reconnect'];
  const interval = numberParameter(fault, 'intervalMs', 0);
  return { error, advice: { reconnect, interval }, status: numberParameter(fault, 'status', 200) };
}
