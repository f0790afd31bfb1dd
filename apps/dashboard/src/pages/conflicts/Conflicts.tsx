import { Page } from '../../parts/Page.tsx';
import { ConflictList } from './ConflictList.tsx';

/** Where the sides of two-way syncs disagreed. */
export default function Conflicts() {
  return (
    <Page title="Conflicts">
      <ConflictList />
    </Page>
  );
}
