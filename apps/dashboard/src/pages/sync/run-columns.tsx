import { Text } from '@mantine/core';
import type { RunShape } from '@tidemark/core/api';
import { Ago } from '../../parts/Ago.tsx';
import { durationText, instantText, numberText } from '../../parts/texts.ts';
import type { Column } from '../../parts/VirtualTable.tsx';

const count = (name: keyof RunShape['counts']) => (run: RunShape) => numberText(run.counts[name]);

export const runColumns: readonly Column<RunShape>[] = [
  { title: 'Started', width: '130px', cell: ({ startedAtMs }) => <Ago ms={startedAtMs} /> },
  { title: 'Kind', width: '60px', cell: ({ kind }) => kind },
  { title: 'Outcome', width: 'minmax(0, 2fr)', cell: (run) => <Outcome run={run} /> },
  { title: 'Took', width: '90px', cell: (run) => tookText(run) },
  { title: 'Window', width: 'minmax(0, 3fr)', cell: (run) => windowText(run) },
  { title: 'Read', width: '66px', align: 'end', cell: count('read') },
  { title: 'Created', width: '66px', align: 'end', cell: count('created') },
  { title: 'Updated', width: '70px', align: 'end', cell: count('updated') },
  { title: 'Deleted', width: '66px', align: 'end', cell: count('deleted') },
  { title: 'Failed', width: '60px', align: 'end', cell: count('failed') },
];

function Outcome({ run: { state, error, heldBy } }: { run: RunShape }) {
  return (
    <>
      <Text size="sm" component="span" fw={state === 'failed' ? 600 : 400}>
        {state}
      </Text>
      {error !== null && (
        <Text size="xs" c="dimmed">
          {error.message}
        </Text>
      )}
      {heldBy !== null && (
        <Text size="xs" c="dimmed">
          held open by {heldBy}
        </Text>
      )}
    </>
  );
}

function tookText({ startedAtMs, finishedAtMs }: RunShape): string {
  return finishedAtMs === null ? 'under way' : durationText(finishedAtMs - startedAtMs);
}

/** From when to when it read, by the clock of the source (004-2). */
function windowText({ windowFromMs, windowToMs, kind }: RunShape): string {
  if (windowFromMs === null) return kind === 'full' ? 'everything' : 'none';
  return `${instantText(windowFromMs)} to ${windowToMs === null ? 'now' : instantText(windowToMs)}`;
}
