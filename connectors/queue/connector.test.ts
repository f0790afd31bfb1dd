import { describeContracts } from './contract-fixture.ts';
import { sqlitePlace } from './fixture.ts';
import { describeParts } from './parts-fixture.ts';

describeContracts('queue in SQLite', sqlitePlace, 10);
describeParts('SQLite', sqlitePlace);
