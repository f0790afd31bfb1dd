import { Button } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconPlayerStop, IconRefresh, IconRotate } from '@tabler/icons-react';
import type { OperationShape, SyncOverviewShape } from '@tidemark/core/api';
import { useAction } from '../../api/actions.ts';
import { ask, path } from '../../api/ask.ts';
import { keys } from '../../api/queries.ts';
import { ConfirmButton } from '../../parts/ConfirmButton.tsx';
import { useMay } from '../../parts/use-may.ts';

const ICON = { size: 16, 'aria-hidden': true } as const;

/** What can be done with a sync as a whole. One that only takes what is pushed to it has nothing to run (004-8). */
export function Actions({ overview: { sync, canRun, paused, health } }: { overview: SyncOverviewShape }) {
  const may = useMay('operate');
  const changes = [keys.sync(sync), keys.syncs];
  const run = useAction({
    done: `${sync} runs`,
    send: (full: boolean) => ask<OperationShape>(path`/syncs/${sync}/runs`, { method: 'POST', body: { full } }),
    changes,
  });
  const stop = useAction({
    done: `${sync} ends after the batch that it is at`,
    send: () => ask(path`/syncs/${sync}/stop`, { method: 'POST' }),
    changes,
  });
  const pause = useAction({
    done: paused ? `${sync} goes on` : `${sync} is paused`,
    send: () => ask(path`/syncs/${sync}/${paused ? 'resume' : 'pause'}`, { method: 'POST' }),
    changes,
  });
  const isRunning = health === 'running';
  return (
    <>
      {canRun && !isRunning && (
        <>
          <Button
            leftSection={<IconRefresh {...ICON} />}
            disabled={!may}
            loading={run.isPending}
            onClick={() => run.mutate(false)}
          >
            Run now
          </Button>
          <ConfirmButton
            label="Full run"
            question="Read every record again, whatever was read before? That may take long, and calls of the org."
            confirm="Read everything"
            icon={<IconRotate {...ICON} />}
            disabled={!may}
            onConfirm={() => run.mutate(true)}
          />
        </>
      )}
      {isRunning && (
        <Button
          variant="default"
          leftSection={<IconPlayerStop {...ICON} />}
          disabled={!may}
          loading={stop.isPending}
          onClick={() => stop.mutate()}
        >
          Stop
        </Button>
      )}
      <Button
        variant="default"
        leftSection={paused ? <IconPlayerPlay {...ICON} /> : <IconPlayerPause {...ICON} />}
        disabled={!may}
        loading={pause.isPending}
        onClick={() => pause.mutate()}
      >
        {paused ? 'Resume' : 'Pause'}
      </Button>
    </>
  );
}
