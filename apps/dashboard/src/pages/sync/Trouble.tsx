import { Alert, Anchor, Text } from '@mantine/core';
import type { SyncDetail } from '@tidemark/core/api';
import { Link } from 'wouter';
import { toRecord } from '../../app/addresses.ts';
import { Ago } from '../../parts/Ago.tsx';

/** What keeps a sync from being well, and what to do about it. Nothing where it is. */
export function Trouble({ detail: { overview, held, stream, waiting } }: { detail: SyncDetail }) {
  const { sync, lastRun } = overview;
  const isStreamDown = stream !== null && (stream.state === 'stopped' || stream.state === 'polling');
  return (
    <>
      {lastRun?.state === 'failed' && lastRun.error !== null && (
        <Alert color="red" title={`The last run failed: ${lastRun.error.message}`}>
          {lastRun.error.hint ?? 'The next run tries again.'}
        </Alert>
      )}
      {held !== null && (
        <Alert color={held.overdue ? 'red' : 'orange'} title="One record keeps the window open">
          The record{' '}
          <Anchor component={Link} href={toRecord(sync, held.key)} size="sm">
            {held.key}
          </Anchor>{' '}
          was refused <Ago ms={held.sinceMs} />: {held.message}. Nothing after it counts as done until it is mended or discarded.
        </Alert>
      )}
      {isStreamDown && (
        <Alert color="orange" title={`Its stream is ${stream.state}`}>
          {stream.reason ?? 'What changes is brought by the schedule meanwhile.'}
          {stream.nextTryMs !== null && (
            <Text size="sm">
              It is tried again <Ago ms={stream.nextTryMs} />.
            </Text>
          )}
        </Alert>
      )}
      {waiting !== null && waiting !== undefined && (
        <Alert color="orange" title="It waits, because API calls of the org are short">
          <Anchor component={Link} href="/connections" size="sm">
            See how the budget stands
          </Anchor>
        </Alert>
      )}
    </>
  );
}
