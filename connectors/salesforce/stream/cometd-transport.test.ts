import { describeStream } from './contract-fixture.ts';

describeStream('cometd');
