import { Group, SegmentedControl, Stack } from '@mantine/core';
import type { ConflictShape } from '@tidemark/core/api';
import { useState } from 'react';
import { useConflicts } from '../../api/pages.ts';
import { useOpenCount } from '../../api/use-open-count.ts';
import { HowMany } from '../../parts/HowMany.tsx';
import { Paged, type Rest } from '../../parts/Paged.tsx';
import { Nothing } from '../../parts/states.tsx';
import { VirtualList } from '../../parts/VirtualList.tsx';
import { ConflictCard } from './ConflictCard.tsx';

type State = 'open' | 'settled';

/** Conflicts of one sync, or of all: a card for each pair of records, its fields side by side. */
export function ConflictList({ sync }: { sync?: string }) {
  const [state, setState] = useState<State>('open');
  const open = useOpenCount('openConflicts', sync);
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
      <Paged query={useConflicts(state, sync)} counted={state === 'open' ? open : undefined}>
        {(conflicts, rest) =>
          conflicts.length === 0 ? <NoConflicts state={state} /> : <Pairs of={state} {...{ conflicts, rest }} />
        }
      </Paged>
    </Stack>
  );
}

interface PairsProps {
  readonly of: State;
  readonly conflicts: readonly ConflictShape[];
  readonly rest: Rest;
}

function Pairs({ of, conflicts, rest: { total, more } }: PairsProps) {
  const isPart = total !== conflicts.length;
  const pairs = wholePairs(conflicts, isPart);
  return (
    <>
      <HowMany shown={pairs.flat().length} total={total} of={`${of} conflict`} order="The newest come first." />
      <VirtualList
        label={`${of} conflicts`}
        items={pairs}
        isPart={isPart}
        keyOf={([first]) => first!.id}
        render={(pair) => <ConflictCard conflicts={pair} />}
        onEnd={more}
      />
    </>
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

/** Fields of the same pair of records belong together, and are decided together: of the last pair some may be on the next page. */
function wholePairs(conflicts: readonly ConflictShape[], isPart: boolean): readonly (readonly ConflictShape[])[] {
  const pairs = [...Map.groupBy(conflicts, ({ sync, leftKey, rightKey }) => JSON.stringify([sync, leftKey, rightKey])).values()];
  return isPart && pairs.length > 1 ? pairs.slice(0, -1) : pairs;
}
