import { numberParameter, textParameter } from '../faults/fault-list.ts';
import type { FiredFault } from '../faults/types.ts';
import type { Call } from './calls.ts';
import type { PubSubContext } from './context.ts';
import { type GrpcStatus, grpcStatus, isErrorCode, PubSubError } from './errors.ts';

/** What faults make of a call that begins. */
export interface RpcStrike {
  error?: PubSubError;
  /** Never answered. */
  silent: boolean;
  /** Done, but the reply is lost: by an error, or with the whole connection. */
  lostReply: 'error' | 'connection' | undefined;
}

export function strikeRpc(context: PubSubContext, call: Pick<Call, 'rpc' | 'token'>, topic: string): RpcStrike {
  const strike: RpcStrike = { silent: false, lostReply: undefined };
  for (const fault of context.faults.fire('rpc', call.rpc, topic)) {
    if (fault.kind === 'rpc-error') strike.error = errorOf(fault, context, call.token);
    else if (fault.kind === 'rpc-silent') strike.silent = true;
    else if (fault.kind === 'publish-reply-lost') strike.lostReply = fault.params.connection === true ? 'connection' : 'error';
  }
  return strike;
}

/** What faults make of a message that a subscription is about to deliver. */
export interface DeliveryStrike {
  silent: boolean;
  duplicate: boolean;
  delayMs: number;
  /** Events of a message at most. */
  split: number;
  /** How the stream ends, and after how many of the message's events. */
  end: { error: PubSubError | 'drop'; afterEvents: number } | undefined;
}

const unharmed: DeliveryStrike = { silent: false, duplicate: false, delayMs: 0, split: Number.POSITIVE_INFINITY, end: undefined };

export function strikeDelivery(context: PubSubContext, call: Pick<Call, 'rpc' | 'token'>, topic: string): DeliveryStrike {
  const fired = context.faults.fire('stream', call.rpc, topic);
  if (fired.length === 0) return unharmed;
  const strike = { ...unharmed };
  for (const fault of fired) {
    const afterEvents = numberParameter(fault, 'events', 0);
    if (fault.kind === 'stream-silent') strike.silent = true;
    else if (fault.kind === 'stream-duplicate') strike.duplicate = true;
    else if (fault.kind === 'stream-slow') strike.delayMs = numberParameter(fault, 'delayMs', 1000);
    else if (fault.kind === 'stream-split') strike.split = Math.max(1, numberParameter(fault, 'events', 1));
    else if (fault.kind === 'stream-drop') strike.end = { error: 'drop', afterEvents };
    else if (fault.kind === 'stream-error') strike.end = { error: errorOf(fault, context, call.token), afterEvents };
  }
  return strike;
}

/** `code` is what `error-code` says after its prefix; without one the stream was reset on the way. */
function errorOf(fault: FiredFault, context: PubSubContext, token: string): PubSubError {
  if (fault.params.revoke === true) context.sessions.revoke(token);
  const code = textParameter(fault, 'code', '');
  const status = textParameter(fault, 'status', '');
  const message = textParameter(fault, 'message', '');
  return new PubSubError(isErrorCode(code) ? code : undefined, {
    ...(Object.hasOwn(grpcStatus, status) ? { status: status as GrpcStatus } : {}),
    ...(message === '' ? {} : { message }),
  });
}
