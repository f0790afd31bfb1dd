import { describe } from 'vitest';
import { describeContracts } from './contract-fixture.ts';
import { describeDelivery } from './delivery-fixture.ts';
import { redisPlace, redisService } from './fixture.ts';
import { describeParts } from './parts-fixture.ts';

const { missing } = await redisService();

describe.skipIf(missing !== null)(`Redis${missing === null ? '' : `: ${missing}`}`, () => {
  describeContracts('queue in Redis', redisPlace, 10);
  describeDelivery('Redis', redisPlace, 20);
  describeParts('Redis', redisPlace);
});
