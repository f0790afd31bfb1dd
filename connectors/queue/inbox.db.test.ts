import { postgresPlace } from './fixture.ts';
import { describeInbox } from './inbox-fixture.ts';

describeInbox('PostgreSQL', postgresPlace);
