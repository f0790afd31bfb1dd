import { describeContracts } from './contract-fixture.ts';
import { postgresPlace } from './fixture.ts';
import { describeParts } from './parts-fixture.ts';

describeContracts('queue in PostgreSQL', postgresPlace, 5);
describeParts('PostgreSQL', postgresPlace);
