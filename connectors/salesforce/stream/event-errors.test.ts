import { evidence } from '@tidemark/emulator';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readBitmaps } from './bitmap.ts';
import { errorOfFault, reactionTo, type StreamAction } from './event-errors.ts';
import { StreamFault } from './transport.ts';

const fault = (code: string, status = 'UNKNOWN') => new StreamFault({ code, status, message: code });

describe(`what is done about an error ${evidence('documented', 'Pub/Sub API guide, "Handle Errors"; Streaming API guide, "Streaming API Error Codes"')}`, () => {
  const table: Record<StreamAction, readonly string[]> = {
    login: [
      'service.auth.error',
      'service.auth.headers.invalid',
      '401::Authentication invalid',
      '401::Request requires authentication',
    ],
    again: [
      'service.unavailable',
      'subscription.internal.error',
      'schema.api.unavailable',
      'topic.api.unavailable',
      'subscription.fetch.overflow',
      '403::Unknown client',
      '402::Unknown client',
      '402:4wl1abc:Unknown client',
      '503::Server is too busy. Please try your request again later.',
    ],
    crowded: [
      'service.protection.triggered',
      'service.protection.stream.limit.triggered',
      'concurrent.client.limit.exceeded',
      '403::Organization concurrent user limit exceeded',
    ],
    lost: [
      'subscription.fetch.replayid.corrupted',
      '400::The replayId {7} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.',
    ],
    refused: [
      'service.tenant.license',
      'topic.not.found',
      'topic.meta.permission',
      'schema.meta.permission',
      'subscription.topic.cannot.subscribe',
      '403::User not allowed to subscribe CDC without required permissions',
      "400::Channel subscriptions must start with a leading '/'",
      '403:denied_by_security_policy:create_denied',
      '404:/event/Gone__e:Unknown channel',
    ],
    spent: ['subscription.limit.exceeded', '403::Organization total events daily limit exceeded'],
    ours: [
      'subscription.fetch.topic.mismatch',
      'subscription.fetch.requested.events.invalid',
      'managed.subscription.already.active',
    ],
  };
  for (const [action, codes] of Object.entries(table)) {
    test.each(codes)(`${action}: %s`, (code) => expect(reactionTo(fault(code)).action).toBe(action));
  }

  test('a code that nobody knows is judged by its status, and one without either is tried again', () => {
    expect(reactionTo(fault('new.error', 'UNAUTHENTICATED')).action).toBe('login');
    expect(reactionTo(fault('new.error', 'PERMISSION_DENIED')).action).toBe('refused');
    expect(reactionTo(fault('', 'UNAVAILABLE')).action).toBe('again');
    expect(reactionTo(fault('constructor', 'UNAVAILABLE')).action).toBe('again');
  });

  test("the engine's error says for each what comes next", () => {
    const codeOf = (code: string) => errorOfFault(fault(code), 'listening').code;
    expect(codeOf('subscription.fetch.replayid.corrupted')).toBe('checkpoint_expired');
    expect(codeOf('topic.not.found')).toBe('request_refused');
    expect(codeOf('subscription.limit.exceeded')).toBe('rate_limited');
    expect(codeOf('service.unavailable')).toBe('not_connected');
  });
});

describe(`bitmaps ${evidence('recorded', 'change events of an Account; Pub/Sub API guide, "Event Deserialization Considerations"')}`, () => {
  test.each([
    [
      ['0x400000', '4-0x01'],
      ['22', '4.0'],
    ],
    [
      ['0x800000', '6-0x01'],
      ['23', '6.0'],
    ],
    [['6-0x0180'], ['6.7', '6.8']],
    [['0x100000000000800000'], ['23', '68']],
    [['0x08F81000'], ['12', '19', '20', '21', '22', '23', '27']],
    [[], []],
  ])('%j names fields %j', (entries, expected) => {
    expect(readBitmaps(entries).map(({ index, part }) => (part === null ? `${index}` : `${index}.${part}`))).toEqual(expected);
  });

  test('any set of fields comes back, however many fields there are', () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(800)), (indexes) => {
        const value = indexes
          .reduce((sum, index) => sum | (1n << BigInt(index)), 0n)
          .toString(16)
          .toUpperCase();
        const bits = readBitmaps([`0x${value.length % 2 ? '0' : ''}${value}`]);
        expect(bits.map(({ index }) => index)).toEqual([...indexes].sort((a, b) => a - b));
      }),
    ));

  test('what is no bitmap is not guessed at', () => expect(() => readBitmaps(['Name'])).toThrow(TypeError));
});
