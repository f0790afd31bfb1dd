import { describeContracts } from './contract-fixture.ts';
import { sqlitePlace } from './fixture.ts';

describeContracts('queue in SQLite', sqlitePlace, 10);
