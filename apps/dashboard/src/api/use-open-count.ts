import { useSyncs } from './queries.ts';

/** How many wait for somebody, of one sync or of all; undefined while nobody has told. */
export function useOpenCount(which: 'openFailures' | 'openConflicts', sync?: string): number | undefined {
  const { data } = useSyncs();
  return data?.reduce((sum, each) => (sync === undefined || each.sync === sync ? sum + each[which] : sum), 0);
}
