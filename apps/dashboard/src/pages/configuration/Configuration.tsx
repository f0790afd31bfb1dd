import { Alert } from '@mantine/core';
import { useConfiguration, useMe } from '../../api/queries.ts';
import { Page } from '../../parts/Page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useMay } from '../../parts/use-may.ts';
import { Editor } from './Editor.tsx';

/** The file that Tidemark runs by: looked at, edited, checked, compared, and only then taken over (000-7, 000-8). */
export default function Configuration() {
  const { data: me } = useMe();
  const may = useMay('admin');
  return (
    <Page title="Configuration">
      {me !== undefined && !may ? (
        <Alert color="orange" title="This takes a token of an administrator">
          The token {me.token.name} has the role {me.token.role}. tidemark token add &lt;name&gt; --role admin makes one that may.
        </Alert>
      ) : (
        <File />
      )}
    </Page>
  );
}

function File() {
  return (
    <Loaded query={useConfiguration()}>
      {(configuration) => <Editor key={configuration.version} configuration={configuration} />}
    </Loaded>
  );
}
