import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import type { OperationShape, SyncOverviewShape } from '@tidemark/core/api';
import { useEffect, useSyncExternalStore } from 'react';
import { ApiError, send } from './ask.ts';
import { keys } from './queries.ts';
import { readEvents } from './read-events.ts';

export type LiveEvent =
  | { readonly event: 'syncs'; readonly data: readonly SyncOverviewShape[] }
  | { readonly event: 'operation'; readonly data: OperationShape };

const AGAIN_MS = 3_000;
const listeners = new Set<(event: LiveEvent) => void>();
const watchers = new Set<() => void>();
let connected = false;

/** Takes over what the server tells, for as long as somebody is signed in: lists change as their syncs do. */
export function useLiveUpdates(): void {
  const client = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    void follow(client, stop.signal);
    return () => stop.abort();
  }, [client]);
}

/** Whether what is shown is as it is now. */
export function useIsConnected(): boolean {
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
  while (!signal.aborted) {
    try {
      const response = await send('/events', { signal });
      setConnected(true);
      for await (const event of readEvents(response.body!)) take(client, event as LiveEvent);
    } catch (error) {
      // Whoever has no token is asked for one.
      if (error instanceof ApiError && error.status === 401) return;
    }
    setConnected(false);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function setConnected(now: boolean): void {
  connected = now;
  for (const watcher of watchers) watcher();
}

function take(client: QueryClient, event: LiveEvent): void {
  if (event.event === 'syncs') {
    const before = client.getQueryData<readonly SyncOverviewShape[]>(keys.syncs) ?? [];
    client.setQueryData(keys.syncs, merged(before, event.data));
    void refreshPages(client, event.data, before);
  } else if (event.data.state !== 'running') {
    // What it has done is looked at now, and not when the syncs are looked at next.
    const { sync } = event.data;
    const changed = [keys.syncs, keys.sync(sync), keys.runs(sync), keys.failures(), keys.conflicts()];
    for (const queryKey of changed) void client.invalidateQueries({ queryKey });
  }
  for (const listener of listeners) listener(event);
}

/** The first event tells all of them, later ones those that changed. */
function merged(before: readonly SyncOverviewShape[], changed: readonly SyncOverviewShape[]): readonly SyncOverviewShape[] {
  const now = new Map(changed.map((sync) => [sync.sync, sync]));
  const known = new Set(before.map(({ sync }) => sync));
  return [...before.map((sync) => now.get(sync.sync) ?? sync), ...changed.filter(({ sync }) => !known.has(sync))];
}

/** Only what is looked at is asked for again. */
async function refreshPages(
  client: QueryClient,
  changed: readonly SyncOverviewShape[],
  before: readonly SyncOverviewShape[],
): Promise<void> {
  const old = new Map(before.map((sync) => [sync.sync, sync]));
  const differs = (field: 'openFailures' | 'openConflicts') =>
    changed.some((sync) => old.get(sync.sync)?.[field] !== sync[field] || sync[field] > 0);
  for (const { sync } of changed) {
    void client.invalidateQueries({ queryKey: keys.sync(sync) });
    void client.invalidateQueries({ queryKey: keys.runs(sync) });
  }
  if (differs('openFailures')) void client.invalidateQueries({ queryKey: keys.failures() });
  if (differs('openConflicts')) void client.invalidateQueries({ queryKey: keys.conflicts() });
}
