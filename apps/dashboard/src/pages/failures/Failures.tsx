import { Page } from '../../parts/Page.tsx';
import { FailureList } from './FailureList.tsx';

/** Records that a target refused, of all syncs. */
export default function Failures() {
  return (
    <Page title="Failures">
      <FailureList />
    </Page>
  );
}
