import { Button, Group, TextInput } from '@mantine/core';
import type { ConflictShape, OperationShape } from '@tidemark/core/api';
import { useState } from 'react';
import { outcomeOf, useAction } from '../../api/actions.ts';
import { ask } from '../../api/ask.ts';
import { keys } from '../../api/queries.ts';
import { useMay } from '../../parts/use-may.ts';
import type { SideNames } from './ConflictCard.tsx';
import { typedValue } from './typed-value.ts';

type Choice = { readonly side: string } | { readonly value: unknown };

/** Decides all that a pair of records disagrees on: one side's values, or, of a single field, one of your own. */
export function Resolve({ conflicts, sides }: { conflicts: readonly ConflictShape[]; sides: SideNames }) {
  const may = useMay('operate');
  const [own, setOwn] = useState('');
  const [first] = conflicts;
  const resolve = useAction({
    done: 'decided',
    send: async (choice: Choice) => {
      const ids = conflicts.map(({ id }) => id);
      return outcomeOf(await ask<OperationShape>('/conflicts/resolve', { method: 'POST', body: { ids, choice } }));
    },
    changes: [keys.conflicts, keys.syncs, keys.sync(first!.sync), keys.records],
  });
  const isOneField = conflicts.length === 1 && first!.field !== null;
  return (
    <Group align="flex-end" gap="sm">
      {[sides.left, sides.right].map(({ connection, title }) => (
        <Button
          key={connection}
          size="xs"
          variant="default"
          disabled={!may || resolve.isPending}
          onClick={() => resolve.mutate({ side: connection })}
        >
          Take what {title} has
        </Button>
      ))}
      {isOneField && (
        <>
          <TextInput
            size="xs"
            label={`another value of ${first!.field}`}
            value={own}
            disabled={!may}
            onChange={(event) => setOwn(event.currentTarget.value)}
          />
          <Button
            size="xs"
            variant="default"
            disabled={!may || own === '' || resolve.isPending}
            onClick={() => resolve.mutate({ value: typedValue(own, first!) })}
          >
            Take this value
          </Button>
        </>
      )}
    </Group>
  );
}
