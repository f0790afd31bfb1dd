import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import type { SyncOverviewShape } from '@tidemark/core/api';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useSyncs } from '../../api/queries.ts';
import { type Health, healths } from '../../parts/Health.tsx';
import { Page } from '../../parts/Page.tsx';
import { Loaded, Nothing } from '../../parts/states.tsx';
import { VirtualTable } from '../../parts/VirtualTable.tsx';
import { columns } from './columns.tsx';
import { HealthFilter } from './HealthFilter.tsx';

/** Every sync in a line, those that need somebody first. */
export default function Overview() {
  return (
    <Page title="Overview">
      <Loaded query={useSyncs()}>{(syncs) => (syncs.length === 0 ? <NoSyncs /> : <Syncs syncs={syncs} />)}</Loaded>
    </Page>
  );
}

function Syncs({ syncs }: { syncs: readonly SyncOverviewShape[] }) {
  const [health, setHealth] = useState<Health | null>(null);
  const [typed, setTyped] = useState('');
  const [search] = useDebouncedValue(typed, 150);
  const shown = useMemo(() => worstFirst(syncs.filter((sync) => matches(sync, health, search))), [syncs, health, search]);
  return (
    <>
      <HealthFilter syncs={syncs} chosen={health} onChoose={setHealth} />
      <TextInput
        aria-label="search syncs"
        placeholder="Name, connection or object"
        type="search"
        leftSection={<IconSearch size={16} aria-hidden />}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      {shown.length === 0 ? (
        <Nothing title="No sync is like that">Choose another state, or search for something else.</Nothing>
      ) : (
        <VirtualTable label="syncs" rows={shown} columns={columns} keyOf={({ sync }) => sync} />
      )}
    </>
  );
}

function NoSyncs() {
  return (
    <Nothing title="There is no sync yet">
      <Link href="/configuration">Write one in the configuration</Link>, or connect an org.
    </Nothing>
  );
}

function matches({ sync, from, to, health }: SyncOverviewShape, wanted: Health | null, search: string): boolean {
  return (wanted === null || health === wanted) && `${sync} ${from} ${to}`.toLowerCase().includes(search.trim().toLowerCase());
}

/** A sync that runs every second does not jump about: running counts as being well. */
function worstFirst(syncs: readonly SyncOverviewShape[]): readonly SyncOverviewShape[] {
  const rank = ({ health }: SyncOverviewShape) => healths.indexOf(health === 'running' ? 'ok' : health);
  return syncs.toSorted((a, b) => rank(a) - rank(b) || a.sync.localeCompare(b.sync));
}
