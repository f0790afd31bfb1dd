import { Anchor, Drawer, Group, Text, UnstyledButton } from '@mantine/core';
import type { FailureShape } from '@tidemark/core/api';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { LIST_MAX, useFailures } from '../../api/queries.ts';
import { toSync } from '../../app/addresses.ts';
import { Ago } from '../../parts/Ago.tsx';
import { Loaded, Nothing } from '../../parts/states.tsx';
import { numberText } from '../../parts/texts.ts';
import { type Column, VirtualTable } from '../../parts/VirtualTable.tsx';
import { FailureDetail } from './FailureDetail.tsx';
import { RetryAll } from './RetryAll.tsx';

/** Failures of one sync, or of all; what is known of one opens beside them. */
export function FailureList({ sync }: { sync?: string }) {
  return (
    <Loaded query={useFailures(sync)}>
      {(failures) =>
        failures.length === 0 ? (
          <Nothing title="No record is failing" isGood>
            Whatever a target refuses is kept here until it succeeds or is discarded.
          </Nothing>
        ) : (
          <Failing failures={failures} sync={sync} />
        )
      }
    </Loaded>
  );
}

function Failing({ failures, sync }: { failures: readonly FailureShape[]; sync: string | undefined }) {
  const [openedId, open] = useState<string | null>(null);
  const columns = useMemo(() => columnsFor(sync === undefined, open), [sync]);
  const opened = failures.find(({ id }) => id === openedId);
  return (
    <>
      <Text size="sm" c="dimmed">
        {failures.length < LIST_MAX
          ? 'Those that are tried next come first.'
          : `The ${numberText(LIST_MAX)} that are tried next; others come up as these are dealt with.`}
      </Text>
      {sync !== undefined && <RetryAll sync={sync} />}
      <VirtualTable label="failures" rows={failures} columns={columns} keyOf={({ id }) => id} />
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
