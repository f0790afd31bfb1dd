import { UnexpectedReplyError } from '../../base/errors.ts';
import type { Alive } from './standby.ts';

/**
 * How much of a dataset has to be read again: what changed since the sync's own checkpoint; what was committed since an instant, by
 * the source's clock, though deltas have passed it; or everything.
 */
export type Reread = 'delta' | { readonly sinceMs: number } | 'full';

/** Reads what either does. */
export function wider(one: Reread, other: Reread): Reread {
  if (one === 'full' || other === 'full') return 'full';
  if (one === 'delta') return other;
  return other === 'delta' ? one : { sinceMs: Math.min(one.sinceMs, other.sinceMs) };
}

/**
 * What is kept with the data that a stream has brought: where it goes on, and which syncs have a hole that is not yet mended.
 * Both in one row, so that no crash can pass a hole over.
 */
export interface LiveEnvelope extends Alive {
  /** Opaque; null before anything was heard. */
  readonly position: string | null;
  /** The process that kept it: one that finds another's knows that it follows no more (P11). */
  readonly owner: string;
  /** Which system it is from: an org id. */
  readonly origin: string;
  /** When the position was told, epoch ms by our clock: an old one may have been passed by the retention. */
  readonly keptAtMs: number;
  /** The configuration of each sync that follows: another one means that what it heard so far does not count. */
  readonly fingerprints: Readonly<Record<string, string>>;
  readonly rereads: Readonly<Record<string, Reread>>;
  /** The dataset of each sync, of those that stand aside as well: what befalls all of its records is noted for when they are back. */
  readonly datasets?: Readonly<Record<string, string>>;
  /** By sync, the signature of its last run, where that was another process's and is accounted for. */
  readonly otherRuns?: Readonly<Record<string, string>>;
  /** By dataset, the stretch of the journal that holds every event up to the position. Another one in the journal means a hole. */
  readonly journals?: Readonly<Record<string, string>>;
}

export function encodeLive(envelope: LiveEnvelope): string {
  return JSON.stringify({ v: 1, ...envelope });
}

export function decodeLive(text: string | null): LiveEnvelope | null {
  if (text === null) return null;
  const { v, ...envelope } = JSON.parse(text) as LiveEnvelope & { v: number };
  if (v !== 1) {
    throw new UnexpectedReplyError(`a stream's checkpoint of version ${v} is newer than this Tidemark`, {
      hint: 'run the newer version, or reset the syncs of the stream',
    });
  }
  return envelope;
}
