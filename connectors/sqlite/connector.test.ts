import { describeSourceContract, describeTargetContract, sqlTraits } from '@tidemark/testkit';
import { createSourceFixture, createTargetFixture } from './fixture.ts';

describeTargetContract('sqlite', createTargetFixture, { ...sqlTraits, streams: true, runs: 10 });
describeSourceContract('sqlite', createSourceFixture, {
  delta: true,
  deletes: false,
  stamps: true,
  severalPages: 12_000,
  runs: 10,
});
