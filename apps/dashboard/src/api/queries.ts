import { useQuery } from '@tanstack/react-query';
import type {
  ConfigurationShape,
  ConflictShape,
  ConnectionShape,
  FailureShape,
  MeShape,
  OrgShape,
  RecordShape,
  SyncDetail,
  SyncOverviewShape,
} from '@tidemark/core/api';
import { ask, path, query } from './ask.ts';

/** More are not looked at by anybody; what is left comes up as these are dealt with. */
export const LIST_MAX = 1000;

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

export function useFailures(sync?: string) {
  return useQuery({
    queryKey: [...keys.failures, sync ?? null],
    queryFn: () => ask<readonly FailureShape[]>(`/failures${query({ sync, limit: LIST_MAX })}`),
  });
}

export function useConflicts(state: 'open' | 'settled', sync?: string) {
  return useQuery({
    queryKey: [...keys.conflicts, sync ?? null, state],
    queryFn: () => ask<readonly ConflictShape[]>(`/conflicts${query({ sync, state, limit: LIST_MAX })}`),
  });
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
