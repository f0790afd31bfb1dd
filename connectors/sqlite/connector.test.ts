import { describeSourceContract, describeTargetContract, sqlTraits } from '@tidemark/testkit';
import { createSourceFixture, createTargetFixture } from './fixture.ts';

describeTargetContract('sqlite', createTargetFixture, { ...sqlTraits, streams: true, shares: true, runs: 10 });
describeSourceContract('sqlite with a watermark', () => createSourceFixture({ table: 'contacts', watermark: 'ModifiedAt' }), {
  delta: true,
  deletes: false,
  stamps: true,
  severalPages: 12_000,
  runs: 10,
});
describeSourceContract('sqlite with a captured table', () => createSourceFixture({ table: 'contacts', capture: true }), {
  delta: true,
  deletes: true,
  stamps: false,
  severalPages: 12_000,
  runs: 10,
});
