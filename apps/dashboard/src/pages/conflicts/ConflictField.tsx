import { SimpleGrid, Text, Title } from '@mantine/core';
import type { ConflictShape } from '@tidemark/core/api';
import { ValueText } from '../../parts/ValueText.tsx';
import type { SideNames } from './ConflictCard.tsx';
import styles from './ConflictField.module.css';

/** A field as both sides have it, what they agreed on before, and what was decided. */
export function ConflictField({ conflict, sides }: { conflict: ConflictShape; sides: SideNames }) {
  const { field, base, left, right, state, outcome, why } = conflict;
  return (
    <div className={styles.field}>
      <Title order={3} size="sm">
        {field ?? 'Whether the record exists'}
      </Title>
      <SimpleGrid cols={{ base: 1, xs: state === 'open' ? 3 : 4 }} spacing="sm">
        <Held by={sides.left.title} value={left} />
        <Held by={sides.right.title} value={right} />
        <Held by="agreed before" value={base} />
        {state !== 'open' && <Held by={state === 'settled' ? 'what stands' : 'being written'} value={outcome} />}
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        {why}
      </Text>
    </div>
  );
}

function Held({ by, value }: { by: string; value: unknown }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {by}
      </Text>
      <ValueText value={value} />
    </div>
  );
}
