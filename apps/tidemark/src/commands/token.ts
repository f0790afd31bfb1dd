import { type Role, roles } from '@tidemark/core';
import { Command, Option } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { formatTime, renderTable } from '../table.ts';

export function tokenCommand(cli: Cli): Command {
  return new Command('token')
    .description('who may use the API and the dashboard of `tidemark start`')
    .addCommand(listCommand(cli), { isDefault: true })
    .addCommand(addCommand(cli))
    .addCommand(revokeCommand(cli));
}

function listCommand(cli: Cli): Command {
  return command(cli, 'list', 'tokens that are good, whose they are, and when they were used last', [
    'tidemark token list',
  ]).action(async (options: CommonOptions) => {
    const tokens = await withSession(cli, options, ({ engine }) => engine.tokens.list());
    answer(cli, options, { tokens }, () =>
      tokens.length === 0
        ? 'no tokens: tidemark token add <name> makes one\n'
        : renderTable(
            ['id', 'name', 'role', 'made', 'last used'],
            tokens.map(({ id, name, role, createdAtMs, usedAtMs }) => [
              ...[id, name, role, formatTime(createdAtMs)],
              usedAtMs === null ? 'never' : formatTime(usedAtMs),
            ]),
          ),
    );
  });
}

function addCommand(cli: Cli): Command {
  return command(cli, 'add', 'make a token; it is shown once and kept nowhere', [
    'tidemark token add grafana',
    'tidemark token add ops --role operate',
  ])
    .argument('<name>', 'whose it will be')
    .addOption(
      new Option('--role <role>', 'read: look; operate: run, pause, retry, resolve; admin: configure, reset, give tokens')
        .choices(roles)
        .default('read'),
    )
    .action(async (name: string, options: CommonOptions & { role: Role }) => {
      const made = await withSession(cli, options, ({ engine }) => engine.tokens.issue(name, options.role));
      answer(cli, options, made, () => `${made.token}\n\nThis is shown once. Send it as Authorization: Bearer <token>.\n`);
    });
}

function revokeCommand(cli: Cli): Command {
  return command(cli, 'revoke', 'take a token back: nobody gets in with it any more', ['tidemark token revoke 4f1a09c2be77'])
    .argument('<id>', 'as `token list` shows it')
    .action(async (id: string, options: CommonOptions) => {
      await withSession(cli, options, ({ engine }) => engine.tokens.revoke(id));
      answer(cli, options, { revoked: id }, () => `token ${id} is revoked\n`);
    });
}
