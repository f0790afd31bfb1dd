import type { SyncConfig } from '../config/config.ts';
import type { Store } from '../store/store.ts';

/** The record that keeps a sync's window open (`onFailure: hold`): nothing after it counts as done. */
export interface Held {
  readonly key: string;
  /** Why the target, or a step, refuses it. */
  readonly message: string;
  /** When it failed first, epoch ms. */
  readonly sinceMs: number;
  /** For longer than `warnAfter`: somebody has to look. */
  readonly overdue: boolean;
}

/** Of several, the one that has failed for longest counts; so many are looked at. */
const FAILURES = 1000;

/** Null when nothing is held open. */
export async function heldWindow(
  { name, onFailure, warnAfterMs }: Pick<SyncConfig, 'name' | 'onFailure' | 'warnAfterMs'>,
  store: Pick<Store, 'failures'>,
  nowMs: number,
): Promise<Held | null> {
  if (onFailure !== 'hold') return null;
  const failures = await store.failures({ sync: name, limit: FAILURES });
  const [first] = [...failures].sort((a, b) => a.firstAtMs - b.firstAtMs);
  if (first === undefined) return null;
  const { key, message, firstAtMs: sinceMs } = first;
  return { key, message, sinceMs, overdue: nowMs - sinceMs >= warnAfterMs };
}
