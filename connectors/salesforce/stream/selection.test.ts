import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { evidence, startEmulator } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { signal } from '../fixture.ts';
import { changeEventName, channelOf } from './selection.ts';
import { type StreamOrg, streamOrg } from './stream-fixture.ts';

const connectTo = (org: StreamOrg, settings: object = {}) =>
  org.connect({}, { stream: 'pubsub', pubsubEndpoint: org.emulator.credentials.pubsubEndpoint, ...settings });

describe(`what a live sync needs in the org ${evidence('documented', 'Tooling API guide, PlatformEventChannelMember')}`, () => {
  test('objects that nobody selected are named, and selected on request', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Account'] });
    const connection = connectTo(org);
    const datasets = ['Account', 'Contact', 'Lead'];
    const problems = await connection.checkStream!({ channel: null, datasets });
    expect(problems).toMatchObject(
      ['Contact', 'Lead'].map((dataset) => ({
        dataset,
        severity: 'error',
        message: expect.stringContaining(`${dataset} is not selected`),
        hint: expect.stringContaining('selected now: Account, 4 more may be'),
      })),
    );
    expect(await connection.captureDatasets!(datasets, signal)).toEqual(['Contact', 'Lead']);
    expect(org.emulator.events.selectedForChangeEvents()).toEqual(expect.arrayContaining(datasets));
    expect(await connection.checkStream!({ channel: null, datasets })).toEqual([]);
    expect(await connection.captureDatasets!(datasets, signal)).toEqual([]);
  });

  test('more objects than the org captures: told with the limit and with what is selected', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Account', 'Contact', 'Lead', 'Case'] });
    const connection = connectTo(org);
    const refused = connection.captureDatasets!(['Account', 'Opportunity', 'Task'], signal);
    await expect(refused).rejects.toMatchObject({
      code: 'request_refused',
      message: expect.stringMatching(/Task.*Opportunity was selected before.*selected now: Account, .*, Opportunity/),
      hint: expect.stringContaining('5 objects without an add-on'),
    });
    const [problem] = await connection.checkStream!({ channel: null, datasets: ['Task'] });
    expect(problem!.hint).toContain('All 5 that an org has without an add-on are in use');
  });

  test('who may look at Setup and not change it is told what permission is lacking', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Account'] });
    const { username, password, securityToken } = org.emulator.users.add({
      username: 'standard@example.com',
      profile: 'Standard User',
    });
    const connection = connectTo(org, { auth: { flow: 'password', username, password, securityToken } });
    await expect(connection.captureDatasets!(['Contact'], signal)).rejects.toMatchObject({
      code: 'access_denied',
      hint: expect.stringMatching(/"Customize Application".*--write-metadata/),
    });
    expect(org.emulator.events.selectedForChangeEvents()).toEqual(['Account']);
  });

  test('without rights on the Tooling API nothing is claimed, and it is said what to look at', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Account'] });
    const { username, password, securityToken } = org.emulator.users.add({
      username: 'minimum@example.com',
      profile: 'Minimum Access - API Only Integrations',
      permissions: { objects: { Account: { read: true, viewAll: true } } },
    });
    const connection = connectTo(org, { auth: { flow: 'password', username, password, securityToken } });
    const problems = await connection.checkStream!({ channel: null, datasets: ['Account', 'Contact'] });
    expect(problems).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringContaining(
          'cannot be seen which objects are selected for Change Data Capture; needed: Account, Contact',
        ),
        hint: expect.stringContaining('"View Setup and Configuration"'),
      },
    ]);
  });

  test('of a channel of the org itself its own members count, and to it they are added', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Lead'] });
    org.emulator.events.defineChannel({ name: 'Sales__chn', kind: 'change', members: [{ eventName: 'AccountChangeEvent' }] });
    const connection = connectTo(org, { channel: '/data/Sales__chn' });
    const datasets = ['Account', 'Lead'];
    expect(await connection.checkStream!({ channel: null, datasets })).toMatchObject([{ dataset: 'Lead' }]);
    expect(await connection.captureDatasets!(datasets, signal)).toEqual(['Lead']);
    expect(await connection.checkStream!({ channel: null, datasets })).toEqual([]);
    expect(org.emulator.events.selectedForChangeEvents()).toEqual(['Lead']);
  });

  test('a channel of one object tells of no other', async () => {
    await using org = await streamOrg('pubsub', { changeEvents: ['Account', 'Contact'] });
    const connection = connectTo(org, { channel: '/data/AccountChangeEvent' });
    const datasets = ['Account', 'Contact'];
    expect(await connection.checkStream!({ channel: null, datasets })).toMatchObject([
      { dataset: 'Contact', severity: 'error', message: expect.stringContaining('not told on /data/AccountChangeEvent') },
    ]);
    await expect(connection.captureDatasets!(datasets, signal)).rejects.toMatchObject({ code: 'request_refused' });
  });

  test('an allowance that is nearly used up is told before it is', async () => {
    await using org = await streamOrg('pubsub', { limits: { DailyDeliveredPlatformEvents: 20 } });
    org.emulator.limits.DailyDeliveredPlatformEvents.spend(19);
    const connection = connectTo(org);
    const [problem] = await connection.checkStream!({ channel: null, datasets: ['Account'] });
    expect(problem).toMatchObject({ severity: 'warning', message: expect.stringContaining('19 of the 20') });
    expect(await connection.allowances!(signal)).toContainEqual({
      name: 'event deliveries',
      used: 19,
      max: 20,
      windowMs: 86_400_000,
    });
  });

  test('a channel that does not exist is an error, not an exception', async () => {
    await using org = await streamOrg('pubsub');
    const problems = await connectTo(org).checkStream!({ channel: '/data/Nothing__chn', datasets: [] });
    expect(problems).toMatchObject([{ severity: 'error' }]);
  });

  test.each([
    ['Account', 'AccountChangeEvent'],
    ['Employee__c', 'Employee__ChangeEvent'],
    ['ns__Thing__c', 'ns__Thing__ChangeEvent'],
  ])('changes of %s are events of %s', (object, event) => expect(changeEventName(object)).toBe(event));

  test.each([
    ['/data/ChangeEvents', { kind: 'members', name: 'ChangeEvents' }],
    ['/data/Sales__chn', { kind: 'members', name: 'Sales__chn' }],
    ['/data/Employee__ChangeEvent', { kind: 'object', event: 'Employee__ChangeEvent' }],
    ['/event/Order__e', { kind: 'other' }],
  ])('%s is a channel of its kind', (topic, channel) => expect(channelOf(topic)).toEqual(channel));
});

test(`the files of a selection are a project from which an org takes it over ${evidence('documented', 'Metadata API Developer Guide, PlatformEventChannelMember, package.xml')}`, async () => {
  await using org = await streamOrg('pubsub');
  const files = connectTo(org).captureFiles!(['Contact', 'Account']);
  expect([...files.keys()]).toEqual([
    'sfdx-project.json',
    'package.xml',
    ...['Account', 'Contact'].map(
      (object) =>
        `force-app/main/default/platformEventChannelMembers/ChangeEvents_${object}ChangeEvent.platformEventChannelMember-meta.xml`,
    ),
  ]);
  expect(files.get('package.xml')).toContain('<members>ChangeEvents_AccountChangeEvent</members>');
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-selection-'));
  try {
    for (const [path, text] of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const deployed = await startEmulator({ source: folder, listen: false, pubsub: false });
    expect(deployed.sourceNotes).toEqual([]);
    expect(deployed.events.selectedForChangeEvents()).toEqual(['Account', 'Contact']);
    await deployed.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('names of components hold no double underscores', async () => {
  await using org = await streamOrg('pubsub');
  const files = connectTo(org).captureFiles!(['Employee__c']);
  expect(files.get('package.xml')).toContain('<members>ChangeEvents_Employee_ChangeEvent</members>');
  expect([...files.values()].at(-1)).toContain('<selectedEntity>Employee__ChangeEvent</selectedEntity>');
});
