import { CheckpointExpiredError } from '@tidemark/core';
import type { TransportName } from './transport.ts';

/**
 * Where a stream goes on: `pubsub:AAAAAAAXkCkAAA==`, `cometd:1543`. The replay id is opaque, and means something to its own
 * transport only: that the two are the same number is nowhere promised.
 */
export interface Position {
  readonly transport: TransportName;
  readonly replayId: string;
}

export const positionText = ({ transport, replayId }: Position): string => `${transport}:${replayId}`;

/** Of a stream that began with what is newest and has not heard anything yet: it cannot be found again. */
export const unheardPosition = (transport: TransportName): string => `${transport}:unheard`;

/** In place of a replay id: before all that is retained. CometD's own number for it. */
export const earliest = '-2';

/** @throws {CheckpointExpiredError} it was never one of ours: what it stood for has to be read again */
export function readPosition(text: string): Position {
  const [, transport, replayId] = /^(pubsub|cometd):(.+)$/.exec(text) ?? [];
  if (replayId === 'unheard') {
    throw new CheckpointExpiredError('the stream was left before it had told its first position');
  }
  const isReplayId = transport === 'cometd' ? /^\d+$/ : /^[A-Za-z0-9+/]+=*$/;
  if (transport === undefined || (replayId !== earliest && !isReplayId.test(replayId!))) {
    throw new CheckpointExpiredError('the position is not one of a Salesforce stream');
  }
  return { transport: transport as TransportName, replayId: replayId! };
}
