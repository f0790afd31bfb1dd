import { Button, Card, Group, NativeSelect, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ask } from '../../api/ask.ts';
import { useConnections } from '../../api/queries.ts';
import { TestResult, type TestVerdict } from '../../parts/TestResult.tsx';

/** Signs in as the edited text says, before that is taken over (000-7). */
export function ConnectionTest({ text }: { text: string }) {
  const { data: connections = [] } = useConnections();
  const [chosen, choose] = useState<string | null>(null);
  const connection = chosen ?? connections[0]?.name;
  const test = useMutation({
    mutationFn: () => ask<TestVerdict>('/connections/test', { method: 'POST', body: { text, connection } }),
  });
  if (connection === undefined) return null;
  return (
    <Card withBorder>
      <Stack gap="sm">
        <Text size="sm">Test a connection as the text above says it. Nothing is taken over.</Text>
        <Group align="flex-end">
          <NativeSelect
            label="connection"
            data={connections.map(({ name }) => name)}
            value={connection}
            onChange={(event) => choose(event.currentTarget.value)}
          />
          <Button variant="default" loading={test.isPending} onClick={() => test.mutate()}>
            Test connection
          </Button>
        </Group>
        <TestResult verdict={test.data} error={test.error} />
      </Stack>
    </Card>
  );
}
