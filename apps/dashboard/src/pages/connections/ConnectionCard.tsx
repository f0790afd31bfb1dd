import { Badge, Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { ConnectionShape } from '@tidemark/core/api';
import { ask, path } from '../../api/ask.ts';
import { TestResult, type TestVerdict } from '../../parts/TestResult.tsx';
import { counted } from '../../parts/texts.ts';
import { useMay } from '../../parts/use-may.ts';
import { BudgetGauge } from './BudgetGauge.tsx';

const USERS_SHOWN = 8;

export function ConnectionCard({ connection: { name, type, notes, usedBy, budget } }: { connection: ConnectionShape }) {
  const may = useMay('operate');
  const test = useMutation({ mutationFn: () => ask<TestVerdict>(path`/connections/${name}/test`, { method: 'POST' }) });
  return (
    <Card withBorder component="article" aria-label={name}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Group gap="xs">
            <Title order={2} size="h4">
              {name}
            </Title>
            <Badge variant="default" tt="none">
              {type}
            </Badge>
          </Group>
          <Button size="xs" variant="default" disabled={!may} loading={test.isPending} onClick={() => test.mutate()}>
            Test
          </Button>
        </Group>
        {notes !== null && <Text size="sm">{notes}</Text>}
        <Text size="sm" c="dimmed">
          {usersText(usedBy)}
        </Text>
        <TestResult verdict={test.data} error={test.error} />
        {budget !== null && <BudgetGauge budget={budget} />}
      </Stack>
    </Card>
  );
}

function usersText(usedBy: readonly string[]): string {
  if (usedBy.length === 0) return 'No sync uses it.';
  const more = usedBy.length > USERS_SHOWN ? ', …' : '';
  return `${counted(usedBy.length, 'sync uses', 'syncs use')} it: ${usedBy.slice(0, USERS_SHOWN).join(', ')}${more}`;
}
