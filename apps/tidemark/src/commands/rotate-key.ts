import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';

export function rotateKeyCommand(cli: Cli): Command {
  return command(cli, 'rotate-key', 'encrypt the tokens of orgs with the first key of TIDEMARK_KEY=<new>,<former>', [
    'tidemark rotate-key',
  ]).action(async (options: CommonOptions) => {
    const done = await withSession(cli, options, ({ engine }) => engine.orgs.rotateKey());
    if (done.unreadable.length > 0) cli.exitCode = 1;
    answer(cli, options, done, () => {
      const names = done.unreadable.map(({ connection, name }) => `${name} (${connection})`).join(', ');
      const left =
        names === ''
          ? 'Nothing needs a former key any more: they can be taken out of TIDEMARK_KEY.\n'
          : `These were encrypted with a key that is not there, and were left as they are: ${names}\n  to do: add that key to TIDEMARK_KEY, or invite these orgs again\n`;
      return `${done.rotated} ${done.rotated === 1 ? 'token is' : 'tokens are'} encrypted anew, with the key ${done.keyId}.\n${left}`;
    });
  });
}
