import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AccessDeniedError, InvariantError, TransientError } from './errors.ts';
import { createLog, type LogOptions } from './log.ts';
import { registerSecret, registerToken, scrub } from './secrets.ts';

function collect(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) }, ...options });
  return { log, lines, text: () => lines.join('') };
}

describe('secrets', () => {
  // One leaked password in a log that goes to somebody's log service is a breach, however it got into the line.    (P10)
  test('a registered secret never comes out, wherever and however spelled it goes in', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 6, maxLength: 20 }).filter((value) => !/^[\s\w]{0,8}$/.test(value)),
        fc.boolean(),
        (random, pretty) => {
          const secret = `cn${random}ry`;
          registerSecret(secret);
          const { log, text } = collect({ pretty });
          const cause = new Error(`inner ${secret}`);
          log.error(
            { error: new AccessDeniedError(`no ${secret}`, { cause, hint: `not ${secret}` }) },
            `login ${secret} refused`,
          );
          log.info({ deep: [{ er: { value: `x${secret}y` } }], [`name ${secret}`]: 1 }, 'nested');
          log.warn(
            { body: JSON.stringify({ value: secret }), url: `https://host/?q=${encodeURIComponent(secret)}` },
            'spelled otherwise',
          );
          log.child({ connection: secret }).debug({}, 'bound');
          const spellings = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
          for (const spelling of spellings) expect(text()).not.toContain(spelling);
          expect(scrub(`Error: ${secret}`)).toBe('Error: [secret]');
        },
      ),
      { numRuns: 100 },
    ));

  test('a secret that is part of another leaves nothing of it over', () => {
    registerSecret('canary-short');
    registerSecret('canary-short-and-long');
    expect(scrub('a canary-short-and-long b canary-short c')).toBe('a [secret] b [secret] c');
  });

  test('of the tokens that a login is given for years the newest are masked, and no secret is forgotten for them (P9)', () => {
    registerSecret('canary-password');
    for (let i = 0; i < 1000; i++) registerToken('crm', `canary-token-${i}.`);
    registerToken('other', 'canary-other-token');
    expect(scrub('canary-token-0. canary-token-979.')).toBe('canary-token-0. canary-token-979.');
    const held = 'canary-token-980. canary-token-999. canary-other-token canary-password';
    expect(scrub(held)).toBe('[secret] [secret] [secret] [secret]');
  });

  test('a very short value is no secret: masking it would garble everything', () => {
    registerSecret('a');
    registerSecret('');
    expect(scrub('banana')).toBe('banana');
  });

  test('the password of a URL is masked though nobody registered it', () => {
    expect(scrub('connect postgres://app:canary@db:5432/x failed')).toBe('connect postgres://app:[secret]@db:5432/x failed');
    expect(scrub('via http://u:c@n@ry@proxy and https://host/a:b@c')).toBe('via http://u:[secret]@proxy and https://host/a:b@c');
  });

  test('members that are called like secrets are masked though nobody registered them', () => {
    const { log, text } = collect();
    const headers = { Authorization: 'Bearer canary', 'Set-Cookie': 'sid=canary', 'Sforce-Limit-Info': 'api-usage=1/15000' };
    log.info(
      {
        headers,
        config: [{ clientSecret: 'canary', private_key: 'canary', securityToken: 'canary', user: 'ada' }],
        accessToken: 'canary',
      },
      'opened',
    );
    expect(text()).not.toContain('canary');
    expect(text()).toContain('api-usage=1/15000');
    expect(text()).toContain('ada');
  });

  test('of a foreign error its message is written, not the request that hangs on it', () => {
    const { log, text } = collect();
    log.error({ error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED', config: { data: 'canary' } }) }, 'failed');
    expect(text()).toContain('ECONNREFUSED');
    expect(text()).not.toContain('canary');
  });
});

describe('log lines', () => {
  test('each is one JSON object with level, time, message and data', () => {
    const { log, lines } = collect();
    log.child({ sync: 'contacts' }).warn({ waitMs: 500, error: new AccessDeniedError('no', { hint: 'ask' }) }, 'trying again');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      msg: 'trying again',
      sync: 'contacts',
      waitMs: 500,
      error: { name: 'AccessDeniedError', code: 'access_denied', message: 'no', hint: 'ask' },
    });
  });

  test('what is below the level is left out, and silent is silent', () => {
    const { log, lines } = collect({ level: 'warn' });
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    expect(lines).toHaveLength(1);
    const silent = collect({ level: 'silent' });
    silent.log.error({}, 'd');
    expect(silent.lines).toEqual([]);
  });

  test('data that is circular, huge or no JSON does no harm', () => {
    const { log, lines } = collect();
    const circle: Record<string, unknown> = { big: 10n ** 20n, bytes: Buffer.alloc(1_000_000), none: undefined };
    circle.self = circle;
    log.info(circle, 'odd');
    expect(lines[0]!.length).toBeLessThan(2_000);
    expect(JSON.parse(lines[0]!)).toMatchObject({ big: '100000000000000000000', bytes: '(1000000 bytes)' });
  });

  test('the readable form has one line, whatever control characters a foreign system sent', () => {
    const { log, lines } = collect({ pretty: true });
    log.error({ sync: 'contacts', error: new Error('two words'), count: 3 }, 'bad\nrecord \u001b[31mred');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d error bad\\nrecord \\u001b\[31mred sync=contacts error="two words" count=3\n$/);
    const coloured = collect({ pretty: true, colour: true });
    coloured.log.info({}, 'hello');
    expect(coloured.text()).toContain('\u001b[32minfo');
  });
});

test('a fault that we understand is told without the place in our code; one that we do not, with it', () => {
  const { log, lines } = collect();
  log.warn({ err: new TransientError('busy', { hint: 'wait' }) }, 'tried again');
  log.error({ err: new InvariantError('cannot be') }, 'stopped');
  const [known, bug] = lines.map((line) => JSON.parse(line) as { err: object });
  expect(known!.err).toMatchObject({ code: 'transient', hint: 'wait' });
  expect(known!.err).not.toHaveProperty('stack');
  expect(bug!.err).toHaveProperty('stack');
});
