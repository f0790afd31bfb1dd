import { describeStream } from './stream-contract.ts';

describeStream('cometd');
