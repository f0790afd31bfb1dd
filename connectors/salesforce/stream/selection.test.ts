import { evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { signal } from '../fixture.ts';
import { changeEventName } from './selection.ts';
import { streamOrg } from './stream-fixture.ts';

describe(`what a live sync needs in the org ${evidence('documented', 'Tooling API guide, PlatformEventChannelMember')}`, () => {
  test('objects that nobody selected are named, and selected on request', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Account'] });
    const connection = org.connect({}, { stream: 'pubsub', pubsubEndpoint: org.emulator.credentials.pubsubEndpoint });
    const datasets = ['Account', 'Contact', 'Lead'];
    const problems = await connection.checkStream!({ channel: null, datasets });
    expect(problems.map(({ message, severity }) => [message.split(' ')[0], severity])).toEqual([
      ['Contact', 'error'],
      ['Lead', 'error'],
    ]);
    expect(await connection.captureDatasets!(datasets, signal)).toEqual(['Contact', 'Lead']);
    expect(org.emulator.events.selectedForChangeEvents()).toEqual(expect.arrayContaining(datasets));
    expect(await connection.checkStream!({ channel: null, datasets })).toEqual([]);
  });

  test('an allowance that is nearly used up is told before it is', async () => {
    await using org = await streamOrg('pubsub', { limits: { DailyDeliveredPlatformEvents: 20 } });
    org.emulator.limits.DailyDeliveredPlatformEvents.spend(19);
    const connection = org.connect({}, { stream: 'pubsub', pubsubEndpoint: org.emulator.credentials.pubsubEndpoint });
    const [problem] = await connection.checkStream!({ channel: null, datasets: ['Account'] });
    expect(problem).toMatchObject({ severity: 'warning', message: expect.stringContaining('19 of the 20') });
  });

  test('a channel that does not exist is an error, not an exception', async () => {
    await using org = await streamOrg('pubsub');
    const connection = org.connect({}, { stream: 'pubsub', pubsubEndpoint: org.emulator.credentials.pubsubEndpoint });
    const problems = await connection.checkStream!({ channel: '/data/Nothing__chn', datasets: [] });
    expect(problems).toMatchObject([{ severity: 'error' }]);
  });

  test.each([
    ['Account', 'AccountChangeEvent'],
    ['Employee__c', 'Employee__ChangeEvent'],
    ['ns__Thing__c', 'ns__Thing__ChangeEvent'],
  ])('changes of %s are events of %s', (object, event) => expect(changeEventName(object)).toBe(event));
});
