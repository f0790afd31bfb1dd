import { Skeleton, Stack } from '@mantine/core';
import type { RunShape } from '@tidemark/core/api';
import { lazy, Suspense, useCallback } from 'react';
import { RUNS_PAGE, useRuns } from '../../api/runs.ts';
import { Failed, Nothing, Waiting } from '../../parts/states.tsx';
import { VirtualTable } from '../../parts/VirtualTable.tsx';
import { runColumns } from './run-columns.tsx';

// Charts are heavy: whoever looks at no runs does without.
const RunChart = lazy(() => import('./RunChart.tsx'));

/** What a sync has done: as a chart, and run by run as far back as somebody scrolls. */
export function Runs({ sync }: { sync: string }) {
  const { data, error, hasNextPage, isFetching, fetchNextPage, refetch } = useRuns(sync);
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  if (data === undefined) return error === null ? <Waiting /> : <Failed error={error} onRetry={() => void refetch()} />;
  const runs = data.pages.flat();
  if (runs.length === 0) return <Nothing title="It has not run yet">Run it now, or wait for its schedule.</Nothing>;
  return (
    <Stack>
      <Suspense fallback={<Skeleton height={260} />}>
        <RunChart runs={runs.slice(0, RUNS_PAGE)} />
      </Suspense>
      <VirtualTable label="runs" rows={runs} columns={runColumns} keyOf={(run: RunShape) => run.id} onEnd={more} />
    </Stack>
  );
}
