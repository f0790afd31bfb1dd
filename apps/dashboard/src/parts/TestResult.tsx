import { Alert } from '@mantine/core';
import type { ProblemShape } from '@tidemark/core/api';
import { Problems } from './Problems.tsx';
import { Failed } from './states.tsx';

export interface TestVerdict {
  readonly ok: boolean;
  readonly problems: readonly ProblemShape[];
}

/** What came of signing in; nothing as long as nobody asked. */
export function TestResult({ verdict, error }: { verdict: TestVerdict | undefined; error: Error | null }) {
  if (error !== null) return <Failed error={error} />;
  if (verdict === undefined) return null;
  return (
    <div role="status">
      <Alert color={verdict.ok ? 'green' : 'red'} title={verdict.ok ? 'It lets us in' : 'It does not work as it is'}>
        {verdict.problems.length === 0 ? 'Nothing is missing.' : <Problems problems={verdict.problems} />}
      </Alert>
    </div>
  );
}
