import { Group, SegmentedControl, Stack, Text } from '@mantine/core';
import type { ConflictShape } from '@tidemark/core/api';
import { useState } from 'react';
import { LIST_MAX, useConflicts } from '../../api/queries.ts';
import { Loaded, Nothing } from '../../parts/states.tsx';
import { numberText } from '../../parts/texts.ts';
import { VirtualList } from '../../parts/VirtualList.tsx';
import { ConflictCard } from './ConflictCard.tsx';

type State = 'open' | 'settled';

/** Conflicts of one sync, or of all: a card for each pair of records, its fields side by side. */
export function ConflictList({ sync }: { sync?: string }) {
  const [state, setState] = useState<State>('open');
  return (
    <Stack>
      <Group>
        <SegmentedControl
          aria-label="which conflicts"
          value={state}
          onChange={(chosen) => setState(chosen as State)}
          data={[
            { value: 'open', label: 'Open' },
            { value: 'settled', label: 'Settled' },
          ]}
        />
      </Group>
      <Loaded query={useConflicts(state, sync)}>
        {(conflicts) =>
          conflicts.length === 0 ? (
            <NoConflicts state={state} />
          ) : (
            <>
              {conflicts.length === LIST_MAX && (
                <Text size="sm" c="dimmed">
                  The newest {numberText(LIST_MAX)}; the API and the command line have the others.
                </Text>
              )}
              <VirtualList
                label={`${state} conflicts`}
                items={pairsOf(conflicts)}
                keyOf={([first]) => first!.id}
                render={(pair) => <ConflictCard conflicts={pair} />}
              />
            </>
          )
        }
      </Loaded>
    </Stack>
  );
}

function NoConflicts({ state }: { state: State }) {
  return state === 'open' ? (
    <Nothing title="Both sides agree" isGood>
      When both change the same field and no policy decides, it waits here for somebody.
    </Nothing>
  ) : (
    <Nothing title="Nothing has been decided yet">What a policy or somebody decides is on record here.</Nothing>
  );
}

/** Fields of the same pair of records belong together. */
function pairsOf(conflicts: readonly ConflictShape[]): readonly (readonly ConflictShape[])[] {
  return [...Map.groupBy(conflicts, ({ sync, leftKey, rightKey }) => JSON.stringify([sync, leftKey, rightKey])).values()];
}
