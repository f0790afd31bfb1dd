import { describe } from 'vitest';
import { describeContracts } from './contract-fixture.ts';
import { describeDelivery } from './delivery-fixture.ts';
import { kafkaPlace, kafkaService } from './fixture.ts';
import { describeParts } from './parts-fixture.ts';

const { missing } = await kafkaService();

describe.skipIf(missing !== null)(`Kafka${missing === null ? '' : `: ${missing}`}`, () => {
  describeContracts('queue in Kafka', kafkaPlace, 3);
  describeDelivery('Kafka', kafkaPlace, 3);
  describeParts('Kafka', kafkaPlace);
});
