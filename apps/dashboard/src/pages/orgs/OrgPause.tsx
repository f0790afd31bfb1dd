import { Button } from '@mantine/core';
import type { OrgShape } from '@tidemark/core/api';
import { useAction } from '../../api/actions.ts';
import { ask, path } from '../../api/ask.ts';
import { keys } from '../../api/queries.ts';
import { useMay } from '../../parts/use-may.ts';

/** Nothing of an org runs while it is paused. One that does not let us in cannot be. */
export function OrgPause({ org: { connection, name, state } }: { org: OrgShape }) {
  const may = useMay('operate');
  const isPaused = state === 'paused';
  const pause = useAction({
    done: isPaused ? `${name} goes on` : `${name} is paused`,
    send: () => ask(path`/orgs/${connection}/${name}/${isPaused ? 'resume' : 'pause'}`, { method: 'POST' }),
    changes: [keys.orgs],
  });
  if (state === 'revoked') return null;
  return (
    <Button
      size="xs"
      variant="default"
      disabled={!may}
      loading={pause.isPending}
      aria-label={`${isPaused ? 'resume' : 'pause'} ${name}`}
      onClick={() => pause.mutate()}
    >
      {isPaused ? 'Resume' : 'Pause'}
    </Button>
  );
}
