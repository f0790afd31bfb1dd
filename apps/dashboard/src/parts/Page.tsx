import { Group, Stack, Title } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';

interface PageProps {
  readonly title: string;
  /** Beside the title: how it stands. */
  readonly aside?: ReactNode;
  /** What can be done here. */
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** The first page of a visit begins where every page of a browser does: at its top, with the way past the navigation. */
let isFirst = true;

/** A page with its title, which a screen reader is told when the page is opened. */
export function Page({ title, aside, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Tidemark`;
    // A focus that somebody has set already is left alone: the page was only given another title.
    if (!isFirst && document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
    isFirst = false;
  }, [title]);
  return (
    <Stack gap="md" maw={1280} mx="auto">
      <Group justify="space-between" align="center" gap="sm">
        <Group gap="sm">
          <Title order={1} size="h2" ref={heading} tabIndex={-1} style={{ outline: 'none' }}>
            {title}
          </Title>
          {aside}
        </Group>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </Stack>
  );
}
