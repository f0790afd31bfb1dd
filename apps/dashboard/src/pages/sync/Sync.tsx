import { Tabs, Text } from '@mantine/core';
import type { SyncDetail } from '@tidemark/core/api';
import { useLocation } from 'wouter';
import { useSync } from '../../api/queries.ts';
import { type SyncPart, toSync } from '../../app/addresses.ts';
import { Count } from '../../parts/Count.tsx';
import { HealthBadge } from '../../parts/Health.tsx';
import { Lag } from '../../parts/Lag.tsx';
import { Page } from '../../parts/Page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { ConflictList } from '../conflicts/ConflictList.tsx';
import { FailureList } from '../failures/FailureList.tsx';
import { Actions } from './Actions.tsx';
import { FlowDiagram } from './FlowDiagram.tsx';
import { LiveTail } from './LiveTail.tsx';
import { MadeOf } from './MadeOf.tsx';
import { Runs } from './Runs.tsx';
import { Trouble } from './Trouble.tsx';

/** One sync: how it stands, what it is made of, what it has done. */
export default function Sync({ name, part }: { name: string; part: string }) {
  const query = useSync(name);
  const overview = query.data?.overview;
  return (
    <Page
      title={name}
      aside={overview && <HealthBadge health={overview.health} />}
      actions={overview && <Actions overview={overview} />}
    >
      <Loaded query={query}>{(detail) => <Detail detail={detail} part={part} />}</Loaded>
    </Page>
  );
}

function Detail({ detail, part }: { detail: SyncDetail; part: string }) {
  const [, go] = useLocation();
  const { overview, outline } = detail;
  const { sync, openFailures, openConflicts, direction } = overview;
  return (
    <>
      <Text size="sm" c="dimmed">
        Up to date: <Lag sync={overview} />
        {overview.canRun ? '' : ' · it only takes what is pushed to it, so there is nothing to run'}
      </Text>
      {outline.notes !== null && <Text>{outline.notes}</Text>}
      <Trouble detail={detail} />
      <FlowDiagram outline={outline} />
      <Tabs value={part} onChange={(chosen) => go(toSync(sync, (chosen ?? 'made-of') as SyncPart))} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="made-of">What it does</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          <Tabs.Tab value="failures" rightSection={openFailures > 0 && <Count of={openFailures} />}>
            Failures
          </Tabs.Tab>
          {direction === 'two-way' && (
            <Tabs.Tab value="conflicts" rightSection={openConflicts > 0 && <Count of={openConflicts} />}>
              Conflicts
            </Tabs.Tab>
          )}
          <Tabs.Tab value="live">Live</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="made-of">
          <MadeOf detail={detail} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Runs sync={sync} />
        </Tabs.Panel>
        <Tabs.Panel value="failures">
          <FailureList sync={sync} />
        </Tabs.Panel>
        <Tabs.Panel value="conflicts">
          <ConflictList sync={sync} />
        </Tabs.Panel>
        <Tabs.Panel value="live">
          <LiveTail sync={sync} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
