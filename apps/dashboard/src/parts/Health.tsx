import { Badge } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconPlayerPause, IconRefresh, IconSparkles } from '@tabler/icons-react';
import type { SyncOverviewShape } from '@tidemark/core/api';

export type Health = SyncOverviewShape['health'];

/** The worst first: that is what somebody looks for. */
export const healths: readonly Health[] = ['failing', 'attention', 'running', 'new', 'paused', 'ok'];

export const healthWords: Record<Health, { readonly word: string; readonly meaning: string; readonly color: string }> = {
  failing: { word: 'Failing', meaning: 'the last run failed, or the stream is not connected', color: 'red' },
  attention: { word: 'Needs you', meaning: 'it runs, and records of it wait for somebody', color: 'orange' },
  running: { word: 'Running', meaning: 'a run is under way', color: 'blue' },
  new: { word: 'New', meaning: 'it has never run', color: 'grape' },
  paused: { word: 'Paused', meaning: 'nothing of it runs until it is resumed', color: 'gray' },
  ok: { word: 'In sync', meaning: 'the last run succeeded, and nothing waits', color: 'green' },
};

const icons = {
  failing: IconCircleX,
  attention: IconAlertTriangle,
  running: IconRefresh,
  new: IconSparkles,
  paused: IconPlayerPause,
  ok: IconCircleCheck,
};

/** Its sign, beside words that say the same. */
export function HealthSign({ health, size = 13 }: { health: Health; size?: number }) {
  const Icon = icons[health];
  return <Icon size={size} aria-hidden style={{ flexShrink: 0 }} />;
}

/** In words and a sign, not by its colour alone. */
export function HealthBadge({ health }: { health: Health }) {
  const { word, meaning, color } = healthWords[health];
  return (
    <Badge
      variant="light"
      color={color}
      c="var(--mantine-color-text)"
      leftSection={<HealthSign health={health} />}
      title={meaning}
      tt="none"
    >
      {word}
    </Badge>
  );
}
