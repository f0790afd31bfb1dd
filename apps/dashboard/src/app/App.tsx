import { Center, Loader } from '@mantine/core';
import { lazy, Suspense, useSyncExternalStore } from 'react';
import { Route, Switch } from 'wouter';
import { useLiveUpdates } from '../api/live.ts';
import { currentToken, onTokenChange } from '../api/token.ts';
import { readPart } from './addresses.ts';
import { NoPage } from './NoPage.tsx';
import { Shell } from './Shell.tsx';
import { SignIn } from './SignIn.tsx';

// Each page comes when it is opened: the first one does not wait for the others.
const Overview = lazy(() => import('../pages/overview/Overview.tsx'));
const Sync = lazy(() => import('../pages/sync/Sync.tsx'));
const Record = lazy(() => import('../pages/record/Record.tsx'));
const Failures = lazy(() => import('../pages/failures/Failures.tsx'));
const Conflicts = lazy(() => import('../pages/conflicts/Conflicts.tsx'));
const Connections = lazy(() => import('../pages/connections/Connections.tsx'));
const Orgs = lazy(() => import('../pages/orgs/Orgs.tsx'));
const Configuration = lazy(() => import('../pages/configuration/Configuration.tsx'));

export function App() {
  const token = useSyncExternalStore(onTokenChange, currentToken);
  return token === null ? <SignIn /> : <SignedIn key={token} />;
}

function SignedIn() {
  useLiveUpdates();
  return (
    <Shell>
      <Suspense fallback={<Opening />}>
        <Switch>
          <Route path="/" component={Overview} />
          <Route path="/syncs/:sync/records/:key">
            {({ sync, key }) => <Record sync={readPart(sync)} recordKey={readPart(key)} />}
          </Route>
          <Route path="/syncs/:sync/:part?">
            {({ sync, part }) => <Sync key={sync} name={readPart(sync)} part={part ?? 'made-of'} />}
          </Route>
          <Route path="/failures" component={Failures} />
          <Route path="/conflicts" component={Conflicts} />
          <Route path="/connections" component={Connections} />
          <Route path="/orgs" component={Orgs} />
          <Route path="/configuration" component={Configuration} />
          <Route component={NoPage} />
        </Switch>
      </Suspense>
    </Shell>
  );
}

function Opening() {
  return (
    <Center mih="40vh">
      <Loader aria-label="opening the page" role="status" />
    </Center>
  );
}
