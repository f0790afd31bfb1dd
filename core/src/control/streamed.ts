import type { SyncConfig } from '../config/config.ts';

/** Connections that live syncs listen to. */
export function streamed(syncs: readonly SyncConfig[]): readonly string[] {
  const live = syncs.filter((sync) => sync.live);
  return [...new Set(live.flatMap(({ from }) => (from.kind === 'connection' ? [from.connection] : [])))];
}
