import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import type { OperationShape, SyncOverviewShape } from '@tidemark/core/api';
import { useEffect, useSyncExternalStore } from 'react';
import { ApiError, send } from './ask.ts';
import { keys } from './queries.ts';
import { readEvents } from './read-events.ts';
import { refreshList } from './refresh-list.ts';
import { refreshRuns } from './runs.ts';

type Syncs = readonly SyncOverviewShape[];

export type LiveEvent =
  | { readonly event: 'syncs'; readonly data: Syncs }
  | { readonly event: 'operation'; readonly data: OperationShape };

const AGAIN_MS = 3_000;
const listeners = new Set<(event: LiveEvent) => void>();
const watchers = new Set<() => void>();
/** Null: nobody has tried yet. */
let connected: boolean | null = null;

/** Takes over what the server tells, for as long as somebody is signed in: lists change as their syncs do. */
export function useLiveUpdates(): void {
  const client = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    void follow(client, stop.signal);
    return () => stop.abort();
  }, [client]);
}

/** Whether what is shown is as it is now; null before that was tried. */
export function useIsConnected(): boolean | null {
  return useSyncExternalStore(
    (changed) => {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    () => connected,
  );
}

/** Told of every event, until it is called off. */
export function onLiveEvent(listener: (event: LiveEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function follow(client: QueryClient, signal: AbortSignal): Promise<void> {
  setConnected(null);
  while (!signal.aborted) {
    try {
      const response = await send('/events', { signal });
      setConnected(true);
      let isFirst = true;
      for await (const event of readEvents(response.body!)) {
        take(client, event as LiveEvent, isFirst);
        isFirst = false;
      }
    } catch (error) {
      // Whoever has no token is asked for one.
      if (error instanceof ApiError && error.status === 401) return;
    }
    if (signal.aborted) return;
    setConnected(false);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function setConnected(now: boolean | null): void {
  connected = now;
  for (const watcher of watchers) watcher();
}

/** @param isFirst  of a connection: it tells all syncs that there are, later ones those that have changed */
function take(client: QueryClient, event: LiveEvent, isFirst: boolean): void {
  if (event.event === 'syncs') {
    const before = client.getQueryData<Syncs>(keys.syncs) ?? [];
    client.setQueryData(keys.syncs, isFirst ? event.data : merged(before, event.data));
    refreshChanged(client, event.data, before);
  } else if (event.data.state !== 'running') {
    // What it has done is looked at now, and not when the syncs are looked at next.
    void client.invalidateQueries({ queryKey: keys.syncs });
    refreshSyncs(client, new Set([event.data.sync]));
    refreshRecords(client, { failures: true, conflicts: true });
  }
  for (const listener of listeners) listener(event);
}

function merged(before: Syncs, changed: Syncs): Syncs {
  const now = new Map(changed.map((sync) => [sync.sync, sync]));
  const known = new Set(before.map(({ sync }) => sync));
  return [...before.map((sync) => now.get(sync.sync) ?? sync), ...changed.filter(({ sync }) => !known.has(sync))];
}

function refreshChanged(client: QueryClient, changed: Syncs, before: Syncs): void {
  const old = new Map(before.map((sync) => [sync.sync, sync]));
  const differs = (field: 'openFailures' | 'openConflicts') =>
    changed.some((sync) => old.get(sync.sync)?.[field] !== sync[field] || sync[field] > 0);
  refreshSyncs(client, new Set(changed.map(({ sync }) => sync)));
  refreshRecords(client, { failures: differs('openFailures'), conflicts: differs('openConflicts') });
}

/** Only what is looked at is asked for again. */
function refreshSyncs(client: QueryClient, names: ReadonlySet<string>): void {
  const isOneOf = ({ queryKey: [kind, name] }: { queryKey: readonly unknown[] }) => kind === 'sync' && names.has(String(name));
  void client.invalidateQueries({ predicate: isOneOf });
  void refreshRuns(client, names);
}

function refreshRecords(client: QueryClient, which: { failures: boolean; conflicts: boolean }): void {
  if (which.failures) void refreshList(client, keys.failures[0]);
  if (which.conflicts) void refreshList(client, keys.conflicts[0]);
}
