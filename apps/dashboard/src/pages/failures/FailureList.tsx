import { Anchor, Drawer, Group, UnstyledButton } from '@mantine/core';
import type { FailureShape } from '@tidemark/core/api';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useFailures } from '../../api/pages.ts';
import { useOpenCount } from '../../api/use-open-count.ts';
import { toSync } from '../../app/addresses.ts';
import { Ago } from '../../parts/Ago.tsx';
import { HowMany } from '../../parts/HowMany.tsx';
import { Paged, type Rest } from '../../parts/Paged.tsx';
import { Nothing } from '../../parts/states.tsx';
import { numberText } from '../../parts/texts.ts';
import { type Column, VirtualTable } from '../../parts/VirtualTable.tsx';
import { FailureDetail } from './FailureDetail.tsx';
import { RetryAll } from './RetryAll.tsx';

/** Failures of one sync, or of all; what is known of one opens beside them. */
export function FailureList({ sync }: { sync?: string }) {
  return (
    <Paged query={useFailures(sync)} counted={useOpenCount('openFailures', sync)}>
      {(failures, rest) =>
        failures.length === 0 ? (
          <Nothing title="No record is failing" isGood>
            Whatever a target refuses is kept here until it succeeds or is discarded.
          </Nothing>
        ) : (
          <Failing failures={failures} rest={rest} sync={sync} />
        )
      }
    </Paged>
  );
}

interface FailingProps {
  readonly failures: readonly FailureShape[];
  readonly rest: Rest;
  readonly sync: string | undefined;
}

function Failing({ failures, rest: { total, more }, sync }: FailingProps) {
  const [openedId, open] = useState<string | null>(null);
  const columns = useMemo(() => columnsFor(sync === undefined, open), [sync]);
  const opened = failures.find(({ id }) => id === openedId);
  return (
    <>
      <HowMany shown={failures.length} total={total} of="failure" order="Those refused first come first." />
      {sync !== undefined && <RetryAll sync={sync} />}
      <VirtualTable label="failures" rows={failures} total={total} columns={columns} keyOf={({ id }) => id} onEnd={more} />
      <Drawer.Root opened={opened !== undefined} onClose={() => open(null)} position="right" size="lg">
        <Drawer.Overlay />
        <Drawer.Content>
          {/* Not Mantine's header: a page has one banner. */}
          <Group justify="space-between" wrap="nowrap" p="md">
            <Drawer.Title fw={600}>Record {opened?.key}</Drawer.Title>
            <Drawer.CloseButton aria-label="close" />
          </Group>
          <Drawer.Body>{opened && <FailureDetail failure={opened} onDone={() => open(null)} />}</Drawer.Body>
        </Drawer.Content>
      </Drawer.Root>
    </>
  );
}

function columnsFor(ofAllSyncs: boolean, open: (id: string) => void): readonly Column<FailureShape>[] {
  return [
    {
      title: 'Record',
      width: 'minmax(0, 2fr)',
      cell: ({ id, key }) => (
        <UnstyledButton onClick={() => open(id)} fw={600} fz="sm" td="underline" aria-haspopup="dialog">
          {key}
        </UnstyledButton>
      ),
    },
    ...(ofAllSyncs ? [syncColumn] : []),
    { title: 'Reason', width: 'minmax(0, 4fr)', cell: ({ message }) => message },
    { title: 'Refused by', width: '110px', cell: ({ place }) => place },
    { title: 'Tries', width: '60px', align: 'end', cell: ({ attempts }) => numberText(attempts) },
    { title: 'Since', width: '120px', cell: ({ firstAtMs }) => <Ago ms={firstAtMs} /> },
    { title: 'Next try', width: '120px', cell: ({ nextAttemptAtMs }) => <Ago ms={nextAttemptAtMs} /> },
  ];
}

const syncColumn: Column<FailureShape> = {
  title: 'Sync',
  width: 'minmax(0, 1fr)',
  cell: ({ sync }) => (
    <Anchor component={Link} href={toSync(sync, 'failures')} size="sm">
      {sync}
    </Anchor>
  ),
};
