import { type AnyConnector, configJsonSchema, configReference, systemClock } from '@tidemark/core';
import type { Command } from 'commander';
import { loadConnectors } from './connectors.ts';
import { createProgram } from './main.ts';

/** Files that follow from the code, for `tools/generate.ts`: the editor's schema and the reference pages. */
export const generatedFiles: readonly { readonly file: string; make(): Promise<string> }[] = [
  {
    file: 'docs/tidemark.schema.json',
    make: async () => `${JSON.stringify(configJsonSchema(await everyConnector()), null, 2)}\n`,
  },
  { file: 'docs/reference/config.md', make: async () => configReference(await everyConnector()) },
  { file: 'docs/reference/cli.md', make: async () => cliReference() },
];

/** A page that silently lacks a connector would be wrong. */
async function everyConnector(): Promise<readonly AnyConnector[]> {
  const { connectors, broken } = await loadConnectors();
  if (broken.length > 0) throw new Error(`cannot load: ${broken.map(({ name, reason }) => `${name} (${reason})`).join(', ')}`);
  return connectors;
}

function cliReference(): string {
  const terminal = { out() {}, err() {}, live: false, interactive: false, colourOut: false, colourErr: false };
  const program = createProgram({ terminal, env: {}, clock: systemClock, exitCode: 0, logLine() {} });
  const parts = [
    '# Command line',
    '',
    'Generated from the commands themselves. Do not edit: run `node tools/generate.ts`.',
    '',
    '```',
    helpOf(program, 'tidemark'),
    '```',
    '',
  ];
  for (const [name, command] of leaves(program, 'tidemark'))
    parts.push(`## ${name}`, '', '```', helpOf(command, name), '```', '');
  return `${parts.join('\n').trimEnd()}\n`;
}

function leaves(parent: Command, prefix: string): [string, Command][] {
  return parent.commands.flatMap((child) => {
    const name = `${prefix} ${child.name()}`;
    return child.commands.length > 0 ? leaves(child, name) : [[name, child] as [string, Command]];
  });
}

/** At a fixed width, so that the page does not depend on whose terminal made it. */
function helpOf(command: Command, name: string): string {
  let text = '';
  command.configureHelp({ helpWidth: 110 }).configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 110,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.replace(/^Usage: .*$/m, (line) => line.replace(`Usage: ${command.name()}`, `Usage: ${name}`)).trim();
}
