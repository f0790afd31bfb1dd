import { Button, Card, Center, Code, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import { ApiError } from '../api/ask.ts';
import { setToken } from '../api/token.ts';
import { queryClient } from './query-client.ts';

/** Asks for a token, and tries it before it is kept. */
export function SignIn() {
  const [token, setGiven] = useState('');
  const [refused, setRefused] = useState<string | null>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const error = await tried(token.trim());
    setRefused(error);
    if (error !== null) return;
    queryClient.clear();
    setToken(token.trim());
  }

  return (
    <Center component="main" mih="100dvh" p="md">
      <Card withBorder shadow="sm" p="xl" maw={460} w="100%">
        <form onSubmit={submit}>
          <Stack>
            <Title order={1} size="h2">
              Tidemark
            </Title>
            <Text>
              This page needs a token. The first start shows one; <Code>tidemark token add &lt;name&gt; --role operate</Code>{' '}
              makes another.
            </Text>
            <PasswordInput
              label="Token"
              required
              autoFocus
              autoComplete="off"
              leftSection={<IconKey size={16} aria-hidden />}
              value={token}
              onChange={(event) => setGiven(event.currentTarget.value)}
              error={refused}
            />
            <Button type="submit" disabled={token.trim() === ''}>
              Sign in
            </Button>
            <Text size="sm" c="dimmed">
              It is kept for as long as this tab is open.
            </Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}

/** Why it does not let us in; null when it does. */
async function tried(token: string): Promise<string | null> {
  const response = await fetch('/api/v1/me', { headers: { authorization: `Bearer ${token}` } }).catch(() => null);
  if (response === null) return new ApiError(503, { code: 'not_reached', message: 'Tidemark does not answer' }).message;
  if (response.ok) return null;
  return response.status === 401 ? 'This token is not known, or was revoked' : `It answered ${response.status}`;
}
