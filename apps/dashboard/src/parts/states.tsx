import { Alert, Button, Card, Skeleton, Stack, Text, ThemeIcon } from '@mantine/core';
import { IconCircleCheck, IconPlugConnectedX } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '../api/ask.ts';

type Asked<Data> = Pick<UseQueryResult<Data>, 'data' | 'isError' | 'error' | 'refetch'>;

/** What was asked for: while it is awaited, when it could not be had, and itself. */
export function Loaded<Data>({ query, children }: { query: Asked<Data>; children: (data: Data) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <Failed error={query.error} onRetry={() => void query.refetch()} />;
  return <Waiting />;
}

/** The shape of what will come, so that nothing jumps when it does. */
export function Waiting() {
  return (
    <Stack gap="sm" role="status" aria-label="loading">
      <Skeleton height={36} />
      <Skeleton height={36} width="85%" />
      <Skeleton height={36} width="92%" />
    </Stack>
  );
}

export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const hint = error instanceof ApiError ? error.hint : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return (
    <Alert color="red" icon={<IconPlugConnectedX aria-hidden />} title={message}>
      <Stack gap="sm" align="flex-start">
        {hint !== undefined && <Text size="sm">{hint}</Text>}
        {onRetry !== undefined && (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** Nothing is there, which may be just right. */
export function Nothing({ title, children, isGood = false }: { title: string; children?: ReactNode; isGood?: boolean }) {
  return (
    <Card withBorder p="xl">
      <Stack align="center" gap="xs" ta="center">
        {isGood && (
          <ThemeIcon variant="transparent" color="green" size="xl">
            <IconCircleCheck size={36} aria-hidden />
          </ThemeIcon>
        )}
        <Text fw={600}>{title}</Text>
        <Text size="sm" c="dimmed" component="div">
          {children}
        </Text>
      </Stack>
    </Card>
  );
}
