import { describeSourceContract, describeTargetContract } from '@tidemark/testkit';
import { describe } from 'vitest';
import { createSourceFixture, createTargetFixture, isFerret, mongodb } from './fixture.ts';

describe.skipIf(mongodb.missing !== null)(`MongoDB${mongodb.missing === null ? '' : `: ${mongodb.missing}`}`, () => {
  describeTargetContract('mongodb', createTargetFixture, {
    compares: true,
    checkpoints: false,
    loads: true,
    typed: true,
    runs: 5,
    // MongoDB can; FerretDB makes JSON of them without minding what they hold.
    ...(isFerret ? { mayBeNamed: (field: string) => !/["\\\n]/.test(field) } : {}),
  });
  describeSourceContract('mongodb', createSourceFixture, {
    delta: true,
    deletes: false,
    stamps: true,
    severalPages: 5000,
    runs: 8,
  });
});
