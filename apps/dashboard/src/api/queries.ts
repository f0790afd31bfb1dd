import { useQuery } from '@tanstack/react-query';
import type {
  ConfigurationShape,
  ConnectionShape,
  MeShape,
  OrgShape,
  RecordShape,
  SyncDetail,
  SyncOverviewShape,
} from '@tidemark/core/api';
import { ask, path } from './ask.ts';

/** Under which name what was answered is kept; of a shorter name all that begin with it. */
export const keys = {
  me: ['me'],
  syncs: ['syncs'],
  sync: (sync: string) => ['sync', sync],
  runs: (sync: string) => ['runs', sync],
  failures: ['failures'],
  conflicts: ['conflicts'],
  records: ['record'],
  connections: ['connections'],
  orgs: ['orgs'],
  configuration: ['configuration'],
} as const;

export function useMe() {
  return useQuery({ queryKey: keys.me, queryFn: () => ask<MeShape>('/me'), staleTime: Number.POSITIVE_INFINITY });
}

/** Kept up to date by what the server tells. */
export function useSyncs() {
  return useQuery({ queryKey: keys.syncs, queryFn: () => ask<readonly SyncOverviewShape[]>('/syncs'), staleTime: 60_000 });
}

export function useSync(sync: string) {
  return useQuery({ queryKey: keys.sync(sync), queryFn: () => ask<SyncDetail>(path`/syncs/${sync}`) });
}

/** What is known of one record. Both sides are asked. */
export function useRecord(sync: string, key: string) {
  return useQuery({
    queryKey: [...keys.records, sync, key],
    queryFn: () => ask<RecordShape>(path`/syncs/${sync}/records/${key}`),
    retry: false,
  });
}

export function useOrgs() {
  return useQuery({ queryKey: keys.orgs, queryFn: () => ask<readonly OrgShape[]>('/orgs'), refetchInterval: 30_000 });
}

export function useConnections() {
  return useQuery({
    queryKey: keys.connections,
    queryFn: () => ask<readonly ConnectionShape[]>('/connections'),
    refetchInterval: 30_000,
  });
}

export function useConfiguration() {
  return useQuery({ queryKey: keys.configuration, queryFn: () => ask<ConfigurationShape>('/configuration') });
}
