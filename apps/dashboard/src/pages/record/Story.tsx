import { Text, Timeline } from '@mantine/core';
import { IconAlertTriangle, IconArrowsExchange, IconBolt, IconCircleCheck, IconPencil } from '@tabler/icons-react';
import type { RecordShape } from '@tidemark/core/api';
import { NameValues } from '../../parts/NameValues.tsx';
import { instantText } from '../../parts/texts.ts';
import { ValueText } from '../../parts/ValueText.tsx';

const icons = {
  event: IconBolt,
  decision: IconArrowsExchange,
  agreed: IconCircleCheck,
  written: IconPencil,
  refused: IconAlertTriangle,
};

/** Events, decisions, writes and replies about one record, the newest first. */
export function Story({ entries }: { entries: RecordShape['story'] }) {
  if (entries.length === 0) {
    return (
      <Text size="sm">
        Nothing is kept of it: no event, no write that its target tells of, no failure (journal: keeps events).
      </Text>
    );
  }
  return (
    <Timeline bulletSize={26} lineWidth={2}>
      {entries.map(({ atMs, kind, title, detail, values }, index) => {
        const Icon = icons[kind];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: entries do not move.
          <Timeline.Item key={index} title={title} bullet={<Icon size={14} aria-hidden />}>
            <Text size="xs" c="dimmed">
              <time dateTime={new Date(atMs).toISOString()}>{instantText(atMs)}</time>
            </Text>
            {detail !== null && <Text size="sm">{detail}</Text>}
            <NameValues
              values={Object.fromEntries(
                Object.entries(values).map(([name, value]) => [name, <ValueText key={name} value={value} />]),
              )}
            />
          </Timeline.Item>
        );
      })}
    </Timeline>
  );
}
