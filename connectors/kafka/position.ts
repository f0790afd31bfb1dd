import { CheckpointExpiredError } from '@tidemark/core';

/** How far a reader has come. */
export interface Position {
  /** The topic's id: one of the same name that was made anew is another. */
  readonly topic: string;
  /** By partition the offset to go on from. One that is not in it was not there yet. */
  readonly next: ReadonlyMap<number, number>;
  /** Nothing has been read yet: what was gone by then was never this reader's. */
  readonly isStart: boolean;
}

export function encodePosition({ topic, next, isStart }: Position): string {
  return JSON.stringify({ topic, next: Object.fromEntries(next), ...(isStart && { isStart }) });
}

/** @throws {CheckpointExpiredError} it is none of ours */
export function decodePosition(text: string): Position {
  try {
    const { topic, next, isStart = false } = JSON.parse(text) as { topic?: unknown; next?: object; isStart?: boolean };
    const offsets = Object.entries(next ?? {}).map(([partition, offset]) => [Number(partition), offset as number] as const);
    if (typeof topic === 'string' && next !== undefined && offsets.flat().every(Number.isSafeInteger)) {
      return { topic, next: new Map(offsets), isStart };
    }
  } catch {
    // Said below.
  }
  throw new CheckpointExpiredError('The checkpoint is none of a topic of Kafka');
}
