import { describe, expect, test } from 'vitest';
import type { ConfigError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import { parseConfig } from './load-config.ts';
import { troubleKinds } from './notifications-config.ts';

// Who is told of trouble is checked before there is any; nothing that lets somebody in is shown.                      (P10)

function parse(receivers: string, env: Record<string, string> = {}) {
  const text = `connections: {}\nsyncs: {}\nnotifications:\n${receivers}`;
  return parseConfig(text, { file: '/etc/tidemark.yaml', env, connectors: [] });
}

function problems(receivers: string): readonly string[] {
  try {
    parse(receivers);
    return [];
  } catch (error) {
    return (error as ConfigError).problems
      .filter(({ severity }) => severity === 'error')
      .map(({ place, message }) => `${place} ${message}`);
  }
}

test('a receiver is read with every default filled in, and told of everything unless it says otherwise', () => {
  const { notifications } = parse(
    `  ops:
    webhook: { url: "https://chat.example.com/hook", secret: "\${SECRET}" }
  mail:
    email: { smtp: "smtps://mail.example.com", from: Tidemark <tidemark@example.com>, to: ops@example.com }
    about: [budget_short]
`,
    { SECRET: 'a-secret-of-twenty-two' },
  );
  expect([...notifications.values()]).toEqual([
    {
      name: 'ops',
      about: troubleKinds,
      notes: null,
      by: { kind: 'webhook', url: 'https://chat.example.com/hook', secret: 'a-secret-of-twenty-two', allowPrivate: false },
    },
    {
      name: 'mail',
      about: ['budget_short'],
      notes: null,
      by: {
        ...{ kind: 'email', smtp: 'smtps://mail.example.com', from: 'Tidemark <tidemark@example.com>' },
        ...{ to: ['ops@example.com'], requireTls: true },
      },
    },
  ]);
});

test('nobody is told, unless somebody is named', () => {
  const { notifications } = parseConfig('connections: {}\nsyncs: {}\n', { file: '/etc/t.yaml', env: {}, connectors: [] });
  expect(notifications.size).toBe(0);
});

test.each([
  ['neither webhook nor email', 'ops: {}', 'takes either webhook or email'],
  ['an address without TLS', 'ops: { webhook: { url: "http://chat.example.com/" } }', 'must be https'],
  ['a password in the address', 'ops: { webhook: { url: "https://u:p@chat.example.com/" } }', 'takes no user and password'],
  ['another protocol', 'ops: { webhook: { url: "file:///etc/passwd" } }', 'url'],
  ['a short secret', 'ops: { webhook: { url: "https://chat.example.com/", secret: short } }', 'secret'],
  ['a header within an address', 'ops: { email: { smtp: "smtp://m", from: "a@b\\nBcc: c@d", to: a@b } }', 'is no address'],
  [
    'options of the driver',
    'ops: { email: { smtp: "smtp://m?tls.rejectUnauthorized=false", from: a@b, to: a@b } }',
    'takes no query',
  ],
  ['a trouble that there is not', 'ops: { about: [bad_luck], webhook: { url: "https://chat.example.com/" } }', 'about'],
  ['a key that there is not', 'ops: { webhok: { url: "https://chat.example.com/" } }', 'is not known here'],
  ['a name that no metric can carry', '"o p s": { webhook: { url: "https://chat.example.com/" } }', 'is not a usable name'],
])('refused: %s', (_, receiver, why) => {
  expect(problems(`  ${receiver}\n`).join('\n')).toContain(why);
});

describe('secrets', () => {
  test('the signing secret, the password of the mail server and a long path of a webhook are masked from here on', () => {
    parse(`  ops:
    webhook: { url: "https://chat.example.com/services/T0AAAA/B0BBBB/pppppppppp", secret: "ssssssssssssssssss" }
  mail:
    email: { smtp: "smtps://me:wwwwwwwwww@mail.example.com", from: a@b, to: a@b }
`);
    const told = scrub('to https://chat.example.com/services/T0AAAA/B0BBBB/pppppppppp signed ssssssssssssssssss by wwwwwwwwww');
    expect(told).not.toMatch(/pppp|ssss|wwww/);
  });

  test('one in plain text is warned of', () => {
    const { warnings } = parse('  ops: { webhook: { url: "https://chat.example.com/", secret: "tttttttttttttttttt" } }\n');
    expect(warnings.map(({ message }) => message)).toContain('is a secret in plain text');
  });
});
