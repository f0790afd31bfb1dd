import { Code } from '@mantine/core';
import { useOrgs } from '../../api/queries.ts';
import { Page } from '../../parts/Page.tsx';
import { Loaded, Nothing } from '../../parts/states.tsx';
import { VirtualTable } from '../../parts/VirtualTable.tsx';
import { columns } from './columns.tsx';

/** The many orgs that a connection may stand for, and how each of them fares. */
export default function Orgs() {
  return (
    <Page title="Orgs">
      <Loaded query={useOrgs()}>
        {(orgs) =>
          orgs.length === 0 ? (
            <Nothing title="No org of a customer is connected">
              A connection with <Code>orgs: true</Code> stands for many;{' '}
              <Code>tidemark org invite &lt;connection&gt; &lt;name&gt;</Code> makes a link by which one is connected.
            </Nothing>
          ) : (
            <VirtualTable label="orgs" rows={orgs} columns={columns} keyOf={({ connection, name }) => `${connection} ${name}`} />
          )
        }
      </Loaded>
    </Page>
  );
}
