import { Text } from '@mantine/core';
import type { OrgShape } from '@tidemark/core/api';
import { Ago } from '../../parts/Ago.tsx';
import { numberText } from '../../parts/texts.ts';
import type { Column } from '../../parts/VirtualTable.tsx';
import { OrgPause } from './OrgPause.tsx';

export const columns: readonly Column<OrgShape>[] = [
  { title: 'Org', width: 'minmax(0, 2fr)', cell: ({ name }) => <strong>{name}</strong> },
  { title: 'Connection', width: 'minmax(0, 1fr)', cell: ({ connection }) => connection },
  { title: 'State', width: 'minmax(0, 2fr)', cell: (org) => <State org={org} /> },
  { title: 'Syncs', width: '60px', align: 'end', cell: ({ syncs }) => numberText(syncs) },
  {
    title: 'Unhealthy',
    width: 'minmax(0, 2fr)',
    cell: ({ unhealthy }) => (unhealthy.length === 0 ? 'none' : unhealthy.join(', ')),
  },
  { title: 'Failures', width: '80px', align: 'end', cell: ({ openFailures }) => numberText(openFailures) },
  {
    title: 'Up to date',
    width: '120px',
    cell: ({ lastSuccessAtMs }) => (lastSuccessAtMs === null ? 'not yet' : <Ago ms={lastSuccessAtMs} />),
  },
  {
    title: 'API calls',
    width: '130px',
    cell: ({ budget }) => (budget === null ? 'not used yet' : `${numberText(budget.ours)} of ${numberText(budget.share)}`),
  },
  { title: 'Pause', width: '100px', cell: (org) => <OrgPause org={org} /> },
];

function State({ org: { state, reason, isReadable, connection, name } }: { org: OrgShape }) {
  if (!isReadable) return 'its key is lost: set the key that it was encrypted with';
  return (
    <>
      {state}
      {reason !== null && (
        <Text size="xs" c="dimmed">
          {reason}
          {state === 'revoked' ? `: tidemark org invite ${connection} ${name}` : ''}
        </Text>
      )}
    </>
  );
}
