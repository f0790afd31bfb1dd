import { UnexpectedReplyError } from '../../base/errors.ts';
import type { Alive } from '../live/standby.ts';

/** A stretch of time whose events may be gone: the source retains them no more. Epoch ms by our clock. */
export interface Hole {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is kept with what a topic has brought: where it goes on, and what could not be had. */
export interface TopicEnvelope extends Alive {
  /** Opaque; null when it begins as `start` says. */
  readonly position: string | null;
  /** Which system it is from: an org id. */
  readonly origin: string;
  /** The last position was lost, or it began and has kept none yet: all that is retained is to come. */
  readonly again: boolean;
  /** Up to here it certainly listened, epoch ms by our clock. */
  readonly heardAtMs: number;
  /** The newest ones. */
  readonly holes: readonly Hole[];
}

/** What a source is sure to retain; Salesforce keeps events for 72 hours. */
const RETAINED_MS = 70 * 3_600_000;
/** What is retained is retained for longer than is sure. */
const SLACK_MS = 3_600_000;
const HOLES_MAX = 20;

export function encodeTopic(envelope: TopicEnvelope): string {
  return JSON.stringify({ v: 1, ...envelope });
}

export function decodeTopic(text: string | null): TopicEnvelope | null {
  if (text === null) return null;
  const { v, ...envelope } = JSON.parse(text) as TopicEnvelope & { v: number };
  if (v !== 1) {
    throw new UnexpectedReplyError(`a topic's checkpoint of version ${v} is newer than this Tidemark`, {
      hint: 'run the newer version, or reset the sync',
    });
  }
  return envelope;
}

/**
 * The position means nothing to the source any more. It begins again with all that is retained, so that nothing is missed but what is
 * over; that is told, because nobody can read it again.
 */
export function withoutPosition(kept: TopicEnvelope, nowMs: number): { envelope: TopicEnvelope; hole: Hole | null } {
  const retainedFromMs = nowMs - RETAINED_MS;
  if (kept.heardAtMs >= retainedFromMs) return { envelope: { ...kept, position: null, again: true }, hole: null };
  const hole = { fromMs: kept.heardAtMs, toMs: retainedFromMs };
  // Lost once more before it listened again: one hole, which has grown.
  const last = kept.holes.at(-1);
  const grown = last?.toMs === hole.fromMs ? { fromMs: last.fromMs, toMs: hole.toMs } : hole;
  const holes = [...(grown === hole ? kept.holes : kept.holes.slice(0, -1)), grown].slice(-HOLES_MAX);
  return { envelope: { ...kept, position: null, again: true, heardAtMs: hole.toMs, holes }, hole: grown };
}

/** Left for so long after its position had been lost that what was retained then is over too. */
export function isLeftBehind({ position, heardAtMs }: TopicEnvelope, nowMs: number): boolean {
  return position === null && heardAtMs < nowMs - RETAINED_MS - SLACK_MS;
}
