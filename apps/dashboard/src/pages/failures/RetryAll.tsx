import { Button, Group } from '@mantine/core';
import { useMay } from '../../parts/use-may.ts';
import { useRetry } from './use-retry.ts';

export function RetryAll({ sync }: { sync: string }) {
  const retry = useRetry(sync);
  const may = useMay('operate');
  return (
    <Group>
      <Button size="xs" variant="default" disabled={!may} loading={retry.isPending} onClick={() => retry.mutate(undefined)}>
        Retry all of them now
      </Button>
    </Group>
  );
}
