import { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';

export function notifyCommand(cli: Cli): Command {
  return new Command('notify').description('who is told when something is wrong').addCommand(testCommand(cli));
}

function testCommand(cli: Cli): Command {
  return command(cli, 'test', 'tell those named in notifications: that nothing is wrong, to see whether it arrives', [
    'tidemark notify test',
    'tidemark notify test chat',
  ])
    .argument('[receiver]', 'one of them alone')
    .action(async (receiver: string | undefined, options: CommonOptions) => {
      const tested = await withSession(cli, options, ({ engine, signals }) => engine.notifications.test(receiver, signals.stop));
      if (tested.some(({ error }) => error !== null)) cli.exitCode = 1;
      answer(cli, options, { tested }, (paint) =>
        tested
          .map(({ receiver: name, error, hint }) =>
            error === null
              ? `${paint('green', `${name} was told`)}\n`
              : `${paint('red', `${name} could not be told`)}: ${error}\n${hint === undefined ? '' : `  to do: ${hint}\n`}`,
          )
          .join(''),
      );
    });
}
