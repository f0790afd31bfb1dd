import { Anchor, Card, Group, Stack, Text, Title } from '@mantine/core';
import type { ConflictShape } from '@tidemark/core/api';
import { Link } from 'wouter';
import { useSync } from '../../api/queries.ts';
import { toRecord, toSync } from '../../app/addresses.ts';
import { Ago } from '../../parts/Ago.tsx';
import { ConflictField } from './ConflictField.tsx';
import { Resolve } from './Resolve.tsx';

/** Two records that are the same thing, and the fields in which they disagree. */
export function ConflictCard({ conflicts }: { conflicts: readonly ConflictShape[] }) {
  const { sync, leftKey, rightKey, atMs } = conflicts[0]!;
  const sides = useSideNames(sync);
  const open = conflicts.filter(({ state }) => state === 'open');
  return (
    <Card withBorder component="article" aria-label={`conflict of ${leftKey} and ${rightKey}`}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h5">
            <Anchor component={Link} href={toRecord(sync, leftKey)} inherit>
              {sides.left.title} {leftKey} and {sides.right.title} {rightKey}
            </Anchor>
          </Title>
          <Text size="sm" c="dimmed">
            <Anchor component={Link} href={toSync(sync, 'conflicts')} size="sm">
              {sync}
            </Anchor>
            , <Ago ms={atMs} />
          </Text>
        </Group>
        {conflicts.map((conflict) => (
          <ConflictField key={conflict.id} conflict={conflict} sides={sides} />
        ))}
        {open.length > 0 && <Resolve conflicts={open} sides={sides} />}
      </Stack>
    </Card>
  );
}

export interface SideNames {
  readonly left: { readonly connection: string; readonly title: string };
  readonly right: { readonly connection: string; readonly title: string };
}

/** What people call the two sides. */
function useSideNames(sync: string): SideNames {
  const { data } = useSync(sync);
  const named = (index: number, otherwise: string) => {
    const block = data?.outline.blocks.at(index);
    return { connection: block?.connection?.name ?? otherwise, title: block?.title ?? otherwise };
  };
  return { left: named(0, 'left'), right: named(-1, 'right') };
}
