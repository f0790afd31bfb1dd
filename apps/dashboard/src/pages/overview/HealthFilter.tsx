import { Group, SimpleGrid, Text, UnstyledButton } from '@mantine/core';
import type { SyncOverviewShape } from '@tidemark/core/api';
import { type Health, HealthSign, healths, healthWords } from '../../parts/Health.tsx';
import { numberText } from '../../parts/texts.ts';
import styles from './HealthFilter.module.css';

interface HealthFilterProps {
  readonly syncs: readonly SyncOverviewShape[];
  /** Null: all of them. */
  readonly chosen: Health | null;
  readonly onChoose: (health: Health | null) => void;
}

/** How many syncs stand how; each number shows only those. */
export function HealthFilter({ syncs, chosen, onChoose }: HealthFilterProps) {
  return (
    <SimpleGrid cols={{ base: 3, md: 6 }} spacing="xs" role="group" aria-label="health of all syncs">
      {healths.map((health) => {
        const count = syncs.filter((sync) => sync.health === health).length;
        return (
          <UnstyledButton
            key={health}
            className={styles.tile}
            aria-pressed={chosen === health}
            onClick={() => onChoose(chosen === health ? null : health)}
          >
            <Text fz={28} fw={700} lh={1.2}>
              {numberText(count)}
            </Text>
            <Group gap={6} wrap="nowrap" c={count === 0 ? 'dimmed' : 'inherit'}>
              <HealthSign health={health} size={16} />
              <Text size="sm">{healthWords[health].word}</Text>
            </Group>
          </UnstyledButton>
        );
      })}
    </SimpleGrid>
  );
}
