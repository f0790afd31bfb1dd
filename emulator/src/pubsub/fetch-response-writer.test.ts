import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { FetchResponse, ManagedFetchResponse } from './messages.ts';
import { loadServiceDefinition } from './service-definition.ts';

// What is written by hand is what the published interface says: any client's library reads back what was meant.

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
/** Some take more room than the writer begins with. */
const large = fc.integer({ min: 1, max: 100_000 }).map((length) => Buffer.alloc(length, 7));
const payload = fc.oneof({ weight: 9, arbitrary: bytes }, { weight: 1, arbitrary: large });
const ascii = fc.string({ unit: 'binary-ascii', maxLength: 40 });
const consumed = fc.record({
  event: fc.record({ id: fc.string({ unit: 'binary', maxLength: 40 }), schemaId: ascii, payload }),
  replayId: bytes,
});
const response: fc.Arbitrary<FetchResponse> = fc.record({
  events: fc.array(consumed, { maxLength: 5 }),
  latestReplayId: bytes,
  rpcId: ascii,
  pendingNumRequested: fc.integer({ min: 0, max: 100 }),
});

/** The loader shows what was not sent as empty. */
const told = (events: FetchResponse['events']) => events.map((each) => ({ ...each, event: { ...each.event, headers: [] } }));

test(`Subscribe's responses are read as they were meant ${evidence('documented', 'pubsub_api.proto, FetchResponse')}`, async () => {
  const { Subscribe } = await loadServiceDefinition();
  fc.assert(
    fc.property(response, (given) => {
      const read = Subscribe!.responseDeserialize(Subscribe!.responseSerialize(given));
      expect(read).toEqual({ ...given, events: told(given.events) });
    }),
  );
});

test(`so are ManagedSubscribe's, with a commit and without ${evidence('documented', 'pubsub_api.proto, ManagedFetchResponse')}`, async () => {
  const { ManagedSubscribe } = await loadServiceDefinition();
  const commitResponse = { commitRequestId: 'c', replayId: Buffer.from([1]), processTime: 1_772_600_767_000 };
  fc.assert(
    fc.property(response, fc.boolean(), (shared, commits) => {
      const given: ManagedFetchResponse = commits ? { ...shared, commitResponse } : shared;
      const read = ManagedSubscribe!.responseDeserialize(ManagedSubscribe!.responseSerialize(given));
      const commit = commits ? { ...commitResponse, error: null } : null;
      expect(read).toEqual({ ...shared, events: told(shared.events), commitResponse: commit });
    }),
  );
});
