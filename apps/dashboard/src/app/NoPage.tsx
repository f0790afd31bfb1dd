import { Link } from 'wouter';
import { Page } from '../parts/Page.tsx';
import { Nothing } from '../parts/states.tsx';

export function NoPage() {
  return (
    <Page title="There is no such page">
      <Nothing title="Nothing lies at this address">
        <Link href="/">Go to the overview</Link>
      </Nothing>
    </Page>
  );
}
