import { Command } from 'commander';
import type { Cli } from '../cli.ts';

export function emulatorCommand(cli: Cli): Command {
  return new Command('emulator')
    .description('run a Salesforce org on this machine; its own options: tidemark emulator --help')
    .helpOption(false)
    .allowUnknownOption()
    .argument('[options...]')
    .action(async (argv: readonly string[]) => {
      // Only here, so that no other command pays for loading it.
      const { runEmulator } = await import('@tidemark/emulator');
      cli.exitCode = await runEmulator(argv);
    });
}
