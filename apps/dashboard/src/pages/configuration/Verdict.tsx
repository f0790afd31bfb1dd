import { Alert, Stack, Text, Title } from '@mantine/core';
import type { VerdictShape } from '@tidemark/core/api';
import { Problems } from '../../parts/Problems.tsx';
import { Diff } from './Diff.tsx';

/** What is wrong with a text, and what taking it over would change. */
export function Verdict({ verdict: { ok, problems, diff, added, removed, changed } }: { verdict: VerdictShape }) {
  const changes = [
    ['new', added],
    ['gone', removed],
    ['changed', changed],
  ] as const;
  return (
    <Stack gap="sm">
      <Alert color={ok ? 'green' : 'red'} title={ok ? 'It can be taken over' : 'It cannot be taken over as it is'} role="status">
        {problems.length > 0 && <Problems problems={problems} />}
        {ok && changes.every(([, syncs]) => syncs.length === 0) && (
          <Text size="sm">No sync reads or writes anything else than before.</Text>
        )}
        {changes.map(([word, syncs]) =>
          syncs.length === 0 ? null : (
            <Text key={word} size="sm">
              Syncs that are {word}: {syncs.join(', ')}
            </Text>
          ),
        )}
      </Alert>
      <Title order={2} size="h5">
        What changes
      </Title>
      <Diff lines={diff} />
    </Stack>
  );
}
