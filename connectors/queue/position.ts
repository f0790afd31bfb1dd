import { CheckpointExpiredError } from '@tidemark/core';

/** How far a reader has come. */
export interface Position {
  /** The queue's id. */
  readonly queue: string;
  /** Of the last message that it has applied. */
  readonly seq: number;
  /** It has applied nothing yet, and begins with whatever is kept. */
  readonly isStart: boolean;
}

export function encodePosition({ queue, seq, isStart }: Position): string {
  return JSON.stringify({ queue, seq, ...(isStart && { isStart }) });
}

export function decodePosition(text: string): Position {
  try {
    const { queue, seq, isStart = false } = JSON.parse(text) as Partial<Position>;
    if (typeof queue === 'string' && Number.isSafeInteger(seq)) return { queue, seq: seq!, isStart };
  } catch {
    // Said below.
  }
  throw new CheckpointExpiredError('The checkpoint is none of a queue');
}
