import { Skeleton, Stack } from '@mantine/core';
import type { RunShape } from '@tidemark/core/api';
import { lazy, Suspense } from 'react';
import { RUNS_PAGE, useRuns } from '../../api/runs.ts';
import { Paged } from '../../parts/Paged.tsx';
import { Nothing } from '../../parts/states.tsx';
import { VirtualTable } from '../../parts/VirtualTable.tsx';
import { runColumns } from './run-columns.tsx';

// Charts are heavy: whoever looks at no runs does without.
const RunChart = lazy(() => import('./RunChart.tsx'));

/** What a sync has done: as a chart, and run by run as far back as somebody scrolls. */
export function Runs({ sync }: { sync: string }) {
  return (
    <Paged query={useRuns(sync)}>
      {(runs, { more }) =>
        runs.length === 0 ? (
          <Nothing title="It has not run yet">Run it now, or wait for its schedule.</Nothing>
        ) : (
          <Stack>
            <Suspense fallback={<Skeleton height={260} />}>
              <RunChart runs={runs.slice(0, RUNS_PAGE)} />
            </Suspense>
            <VirtualTable label="runs" rows={runs} columns={runColumns} keyOf={(run: RunShape) => run.id} onEnd={more} />
          </Stack>
        )
      }
    </Paged>
  );
}
