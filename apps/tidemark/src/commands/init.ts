import type { Command } from 'commander';
import { type Cli, command } from '../cli.ts';

export function initCommand(cli: Cli): Command {
  return command(cli, 'init', 'write a first configuration', ['tidemark init']);
}
