import { SimpleGrid } from '@mantine/core';
import { useConnections } from '../../api/queries.ts';
import { Page } from '../../parts/Page.tsx';
import { Loaded, Nothing } from '../../parts/states.tsx';
import { ConnectionCard } from './ConnectionCard.tsx';

/** Configured systems: who uses them, whether they let us in, and how their API calls stand. */
export default function Connections() {
  return (
    <Page title="Connections">
      <Loaded query={useConnections()}>
        {(connections) =>
          connections.length === 0 ? (
            <Nothing title="There is no connection yet">Write one in the configuration.</Nothing>
          ) : (
            <SimpleGrid cols={{ base: 1, md: 2 }} style={{ alignItems: 'start' }}>
              {connections.map((connection) => (
                <ConnectionCard key={connection.name} connection={connection} />
              ))}
            </SimpleGrid>
          )
        }
      </Loaded>
    </Page>
  );
}
