import { Alert, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { ConfigurationShape, VerdictShape } from '@tidemark/core/api';
import { useState } from 'react';
import { useAction } from '../../api/actions.ts';
import { ApiError, ask } from '../../api/ask.ts';
import { keys } from '../../api/queries.ts';
import { Failed } from '../../parts/states.tsx';
import { ConnectionTest } from './ConnectionTest.tsx';
import { Verdict } from './Verdict.tsx';

/** Only what was checked and compared, as it stands, can be taken over. */
export function Editor({ configuration: { file, text, version, canEdit } }: { configuration: ConfigurationShape }) {
  const [edited, setEdited] = useState(text);
  const check = useMutation({
    mutationFn: (now: string) => ask<VerdictShape>('/configuration/check', { method: 'POST', body: { text: now } }),
  });
  const takeOver = useAction({
    done: 'Tidemark goes on by the new configuration',
    send: async () => {
      const verdict = await ask<VerdictShape>('/configuration', { method: 'PUT', body: { text: edited, version } });
      if (!verdict.ok) throw new ApiError(422, { code: 'config_invalid', message: 'it has errors, and changed nothing' });
    },
    changes: [keys.configuration, keys.syncs, keys.connections],
  });
  const verdict = check.variables === edited ? check.data : undefined;
  const isChanged = edited !== text;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {file}
      </Text>
      {!canEdit && (
        <Alert color="blue" title="It can be looked at here, and not be changed">
          A secret stands in the file, or this process may not write it. Move secrets to environment variables.
        </Alert>
      )}
      <Textarea
        label="configuration, as YAML"
        autosize
        minRows={12}
        maxRows={32}
        spellCheck={false}
        readOnly={!canEdit}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
        value={edited}
        onChange={(event) => setEdited(event.currentTarget.value)}
      />
      {canEdit && (
        <Group>
          <Button variant="default" loading={check.isPending} disabled={!isChanged} onClick={() => check.mutate(edited)}>
            Check and compare
          </Button>
          <Button
            disabled={verdict?.ok !== true || !isChanged}
            loading={takeOver.isPending}
            onClick={() => takeOver.mutate(undefined)}
          >
            Take over
          </Button>
          <Button variant="subtle" disabled={!isChanged} onClick={() => setEdited(text)}>
            Undo changes
          </Button>
        </Group>
      )}
      {check.error !== null && <Failed error={check.error} />}
      {verdict !== undefined && <Verdict verdict={verdict} />}
      <ConnectionTest text={edited} />
    </Stack>
  );
}
