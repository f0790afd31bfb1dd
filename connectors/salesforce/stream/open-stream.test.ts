import { CheckpointExpiredError, RequestRefusedError } from '@tidemark/core';
import { type EmulatorOptions, evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { pubsubEndpointOf } from './open-stream.ts';
import { streamOrg, swiftClock } from './stream-fixture.ts';

describe('which way events come', () => {
  test('auto takes Pub/Sub where it answers, and CometD where it cannot be reached', async () => {
    await using org = await streamOrg('pubsub');
    const { pubsubEndpoint } = org.emulator.credentials;
    await using near = await org.listen({ position: null, settings: { stream: 'auto', pubsubEndpoint } });
    expect(near.stream.state!().transport).toBe('pubsub');
    // Nobody listens there.
    await using far = await org.listen({ position: null, settings: { stream: 'auto', pubsubEndpoint: '127.0.0.1:9' } });
    expect(far.stream.state!().transport).toBe('cometd');
    org.emulator.org.write((tx) => tx.insert('Account', { Name: 'a' }));
    await near.until((events) => events.length === 1);
  });

  test('auto stays with the transport of a kept position; another one is a lost position (P5)', async () => {
    await using org = await streamOrg('cometd');
    const { pubsubEndpoint } = org.emulator.credentials;
    await using kept = await org.listen({ settings: { stream: 'auto', pubsubEndpoint } });
    expect(kept.stream.state!().transport).toBe('cometd');
    await expect(org.listen({ settings: { stream: 'pubsub', pubsubEndpoint } })).rejects.toThrow(CheckpointExpiredError);
  });

  test('with a kept position too, a Pub/Sub that cannot be reached for long is left to CometD (P5)', async () => {
    await using org = await streamOrg('pubsub');
    const settings = { stream: 'auto', pubsubEndpoint: '127.0.0.1:9' };
    const { clock } = swiftClock();
    await using kept = await org.listen({ settings, over: { clock } });
    expect(await kept.failure()).toBeInstanceOf(CheckpointExpiredError);
  });

  test('an emulator without an endpoint is not looked for at Salesforce: no token leaves this machine (P10)', async () => {
    expect(pubsubEndpointOf({ pubsubEndpoint: undefined, loginUrl: 'http://127.0.0.1:4711' })).toBeNull();
    expect(pubsubEndpointOf({ pubsubEndpoint: undefined, loginUrl: 'https://acme.my.salesforce.com' })).toBe(
      'api.pubsub.salesforce.com:7443',
    );
    await using org = await streamOrg('pubsub');
    await expect(org.listen({ position: null, settings: { pubsubEndpoint: undefined } })).rejects.toThrow(RequestRefusedError);
  });

  test.each(['pubsub', 'cometd'] as const)(
    `platform events by %s are records that come to be, keyed by their UUID ${evidence('documented', 'Platform Events Developer Guide, "Platform Event Fields"')}`,
    async (transport) => {
      const fields: NonNullable<EmulatorOptions['platformEvents']>[number]['fields'] = [
        { name: 'Number__c', type: 'number', scale: 2 },
        { name: 'Text__c', type: 'text', length: 20 },
      ];
      await using org = await streamOrg(transport, { platformEvents: [{ name: 'Ordered__e', fields }] });
      await using listener = await org.listen({ channel: '/event/Ordered__e', datasets: ['Ordered__e'] });
      const [outcome] = org.emulator.events.publish(
        '/event/Ordered__e',
        [{ fields: { Number__c: 1.5, Text__c: 'x' } }],
        org.emulator.org.adminUserId,
      );
      await listener.until((events) => events.length === 1);
      const { uuid } = outcome as { uuid: string };
      expect(listener.events[0]).toMatchObject({
        op: 'create',
        dataset: 'Ordered__e',
        keys: [uuid],
        row: { EventUuid: uuid, Number__c: 1.5, Text__c: 'x', CreatedById: org.emulator.org.adminUserId },
      });
      expect(listener.events[0]!.row!.CreatedDate).toMatch(/Z$/);
    },
  );
});
