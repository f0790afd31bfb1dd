import { Button, Card, Group, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { type LiveEvent, onLiveEvent, useIsConnected } from '../../api/live.ts';
import { instantText } from '../../parts/texts.ts';
import styles from './LiveTail.module.css';
import { lineOf } from './tail-line.ts';

const LINES_MAX = 500;

interface Line {
  readonly id: number;
  readonly atMs: number;
  readonly text: string;
}

/** What happens to a sync, as it does, the newest first. */
export function LiveTail({ sync }: { sync: string }) {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const isConnected = useIsConnected();
  useEffect(() => {
    let next = 0;
    return onLiveEvent((event: LiveEvent) => {
      const text = lineOf(event, sync);
      if (text === null) return;
      const line = { id: next++, atMs: Date.now(), text };
      setLines((before) => (before[0]?.text === text ? before : [line, ...before].slice(0, LINES_MAX)));
    });
  }, [sync]);
  return (
    <Card withBorder>
      <Group justify="space-between" mb="sm">
        <Text size="sm" c="dimmed">
          {isConnected !== false ? 'Listening: what happens is shown at once.' : 'Not connected: it is tried again by itself.'}
        </Text>
        <Button size="xs" variant="default" disabled={lines.length === 0} onClick={() => setLines([])}>
          Clear
        </Button>
      </Group>
      <ol className={styles.lines} aria-live="polite" aria-label="what happens">
        {lines.length === 0 && <li>Nothing has happened since this was opened.</li>}
        {lines.map(({ id, atMs, text }) => (
          <li key={id}>
            <time dateTime={new Date(atMs).toISOString()}>{instantText(atMs)}</time> {text}
          </li>
        ))}
      </ol>
    </Card>
  );
}
