import {
  ActionIcon,
  Alert,
  AppShell,
  Burger,
  Group,
  NavLink,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconAlertTriangle,
  IconArrowsExchange,
  IconBook,
  IconBuilding,
  IconLayoutDashboard,
  IconLogout,
  IconMoon,
  IconPlug,
  IconSettings,
  IconSun,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useIsConnected } from '../api/live.ts';
import { useMe, useSyncs } from '../api/queries.ts';
import { setToken } from '../api/token.ts';
import { useOpenCount } from '../api/use-open-count.ts';
import { Count } from '../parts/Count.tsx';
import { queryClient } from './query-client.ts';

const ICON = { size: 18, 'aria-hidden': true } as const;

/** The frame of every page: where one is, where one can go, who one is. */
export function Shell({ children }: { children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="md">
      <a className="skip-link" href="#content">
        Go to the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group wrap="nowrap" gap="sm">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="navigation" aria-expanded={opened} />
            <Text fw={700} size="lg" component={Link} href="/" c="inherit" td="none">
              Tidemark
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Who />
            <SchemeSwitch />
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label="sign out" onClick={signOut}>
              <IconLogout {...ICON} />
            </ActionIcon>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="pages">
        <Pages onOpen={close} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <NotConnected />
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

function Pages({ onOpen }: { onOpen: () => void }) {
  const [at] = useLocation();
  const failures = useOpenCount('openFailures') ?? 0;
  const conflicts = useOpenCount('openConflicts') ?? 0;
  const pages = [
    { to: '/', label: 'Overview', icon: <IconLayoutDashboard {...ICON} />, open: 0 },
    { to: '/failures', label: 'Failures', icon: <IconAlertTriangle {...ICON} />, open: failures },
    { to: '/conflicts', label: 'Conflicts', icon: <IconArrowsExchange {...ICON} />, open: conflicts },
    { to: '/connections', label: 'Connections', icon: <IconPlug {...ICON} />, open: 0 },
    { to: '/orgs', label: 'Orgs', icon: <IconBuilding {...ICON} />, open: 0 },
    { to: '/configuration', label: 'Configuration', icon: <IconSettings {...ICON} />, open: 0 },
  ];
  const isAt = (to: string) => (to === '/' ? at === '/' || at.startsWith('/syncs/') : at === to);
  return (
    <>
      {pages.map(({ to, label, icon, open }) => (
        <NavLink
          key={to}
          component={Link}
          href={to}
          label={label}
          leftSection={icon}
          rightSection={open > 0 ? <Count of={open} /> : null}
          active={isAt(to)}
          aria-current={isAt(to) ? 'page' : undefined}
          onClick={onOpen}
        />
      ))}
      <NavLink href="/api-docs" label="HTTP API" leftSection={<IconBook {...ICON} />} mt="auto" />
    </>
  );
}

function Who() {
  const { data } = useMe();
  if (data === undefined) return null;
  return (
    <Text size="sm" c="dimmed" visibleFrom="xs">
      {data.token.name} ({data.token.role})
    </Text>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'light' ? 'dark' : 'light';
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`show it ${other}`} onClick={() => setColorScheme(other)}>
      {scheme === 'light' ? <IconMoon {...ICON} /> : <IconSun {...ICON} />}
    </ActionIcon>
  );
}

/** What is shown may be old: said once it has been there at all. */
function NotConnected() {
  const isConnected = useIsConnected();
  const { data } = useSyncs();
  if (isConnected !== false || data === undefined) return null;
  return (
    <Alert color="orange" mb="md" title="Tidemark does not answer at this time" role="status">
      What you see is as it was last told. This page tries again by itself.
    </Alert>
  );
}

function signOut(): void {
  queryClient.clear();
  setToken(null);
}
