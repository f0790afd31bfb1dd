import { Anchor, Text } from '@mantine/core';
import type { SyncOverviewShape } from '@tidemark/core/api';
import { Link } from 'wouter';
import { toSync } from '../../app/addresses.ts';
import { Count } from '../../parts/Count.tsx';
import { HealthBadge } from '../../parts/Health.tsx';
import { Lag } from '../../parts/Lag.tsx';
import { counted } from '../../parts/texts.ts';
import type { Column } from '../../parts/VirtualTable.tsx';

export const columns: readonly Column<SyncOverviewShape>[] = [
  {
    title: 'Sync',
    width: 'minmax(0, 2fr)',
    cell: ({ sync }) => (
      <Anchor component={Link} href={toSync(sync)} fw={600} size="sm" underline="hover">
        {sync}
      </Anchor>
    ),
  },
  { title: 'Health', width: '130px', cell: ({ health }) => <HealthBadge health={health} /> },
  {
    title: 'From and to',
    width: 'minmax(0, 3fr)',
    cell: ({ from, to, direction }) => `${from} ${direction === 'two-way' ? '↔' : '→'} ${to}`,
  },
  { title: 'Up to date', width: '150px', cell: (sync) => <Lag sync={sync} /> },
  { title: 'Last run', width: 'minmax(0, 2fr)', cell: ({ lastRun }) => <LastRun run={lastRun} /> },
  { title: 'Failures', width: '72px', align: 'end', cell: ({ openFailures }) => <Open count={openFailures} /> },
  { title: 'Conflicts', width: '76px', align: 'end', cell: ({ openConflicts }) => <Open count={openConflicts} /> },
];

function Open({ count }: { count: number }) {
  return count === 0 ? (
    <Text size="sm" c="dimmed" component="span">
      0
    </Text>
  ) : (
    <Count of={count} />
  );
}

function LastRun({ run }: { run: SyncOverviewShape['lastRun'] }) {
  if (run === null) return 'none yet';
  if (run.state === 'failed') return run.error?.message ?? 'failed';
  const { created, updated, deleted } = run.counts;
  const written = created + updated + deleted;
  return `${run.kind}: ${written === 0 ? 'nothing to write' : `${counted(written, 'record')} written`}`;
}
