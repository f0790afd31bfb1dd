import { Alert, Anchor, Button, Code, Group, Stack, Text, Title } from '@mantine/core';
import { IconBulb } from '@tabler/icons-react';
import type { FailureShape } from '@tidemark/core/api';
import { Link } from 'wouter';
import { useAction } from '../../api/actions.ts';
import { ask } from '../../api/ask.ts';
import { keys } from '../../api/queries.ts';
import { toRecord, toSync } from '../../app/addresses.ts';
import { Ago } from '../../parts/Ago.tsx';
import { ConfirmButton } from '../../parts/ConfirmButton.tsx';
import { NameValues } from '../../parts/NameValues.tsx';
import { useMay } from '../../parts/use-may.ts';
import { BeforeAndAfter } from './BeforeAndAfter.tsx';
import { useRetry } from './use-retry.ts';

/** Why a record was refused, what to do about it in plain words, and what would have become of it. */
export function FailureDetail({ failure, onDone }: { failure: FailureShape; onDone: () => void }) {
  const { sync, key, code, message, remedy, place, attempts, firstAtMs, lastAtMs, nextAttemptAtMs } = failure;
  return (
    <Stack>
      <Text fw={600}>{message}</Text>
      <Alert color="blue" icon={<IconBulb aria-hidden />} title="What to do">
        {remedy}
      </Alert>
      <Choices failure={failure} onDone={onDone} />
      <NameValues
        values={{
          sync: (
            <Anchor component={Link} href={toSync(sync)} size="sm">
              {sync}
            </Anchor>
          ),
          'refused by': place,
          code: <Code>{code}</Code>,
          tries: attempts,
          'first refused': <Ago ms={firstAtMs} />,
          'last tried': <Ago ms={lastAtMs} />,
          'next try': <Ago ms={nextAttemptAtMs} />,
        }}
      />
      <div>
        <Title order={3} size="h5" mb="xs">
          Before and after
        </Title>
        <BeforeAndAfter failure={failure} />
      </div>
      <Anchor component={Link} href={toRecord(sync, key)} size="sm">
        What has happened to this record
      </Anchor>
    </Stack>
  );
}

function Choices({ failure: { id, sync }, onDone }: { failure: FailureShape; onDone: () => void }) {
  const may = useMay('operate');
  const retry = useRetry(sync);
  const discard = useAction({
    done: 'discarded',
    send: () => ask('/failures/discard', { method: 'POST', body: { ids: [id] } }),
    changes: [keys.failures, keys.syncs, keys.sync(sync), keys.records],
  });
  return (
    <Group>
      <Button size="sm" disabled={!may} loading={retry.isPending} onClick={() => retry.mutate([id], { onSuccess: onDone })}>
        Retry now
      </Button>
      <ConfirmButton
        label="Discard"
        question="Give this record up? The target keeps what it has of it until the record changes again."
        confirm="Discard it"
        color="red"
        disabled={!may}
        loading={discard.isPending}
        onConfirm={() => discard.mutate(undefined, { onSuccess: onDone })}
      />
    </Group>
  );
}
