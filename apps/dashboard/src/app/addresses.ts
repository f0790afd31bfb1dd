import { path } from '../api/ask.ts';

export type SyncPart = 'made-of' | 'runs' | 'failures' | 'conflicts' | 'live';

export function toSync(sync: string, part?: SyncPart): string {
  return part === undefined ? path`/syncs/${sync}` : path`/syncs/${sync}/${part}`;
}

export function toRecord(sync: string, key: string): string {
  return path`/syncs/${sync}/records/${key}`;
}
