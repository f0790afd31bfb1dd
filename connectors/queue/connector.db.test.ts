import { describeContracts } from './contract-fixture.ts';
import { postgresPlace } from './fixture.ts';

describeContracts('queue in PostgreSQL', postgresPlace, 5);
