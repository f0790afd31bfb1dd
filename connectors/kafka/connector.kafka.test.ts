import { describeSourceContract, describeTargetContract } from '@tidemark/testkit';
import { describe } from 'vitest';
import { createSourceFixture, createTargetFixture, kafka, nameOfSuite } from './fixture.ts';

describe.skipIf(kafka.missing !== null)(nameOfSuite, () => {
  const traits = { compares: false, checkpoints: true, loads: false, runs: 5 };
  describeTargetContract('kafka', () => createTargetFixture(), { ...traits, typed: false });
  describeSourceContract('kafka', createSourceFixture, {
    delta: true,
    deletes: true,
    stamps: false,
    full: false,
    severalPages: 2500,
    runs: 8,
  });
});
