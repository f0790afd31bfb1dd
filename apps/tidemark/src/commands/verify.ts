import type { Verdict } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { showProgress } from '../progress.ts';
import { renderTable } from '../table.ts';
import type { Paint } from '../terminal.ts';

export function verifyCommand(cli: Cli): Command {
  return command(cli, 'verify', 'prove that the target holds what the source holds; exit code 1 when it does not', [
    'tidemark verify contacts',
    'tidemark verify contacts --repair',
  ])
    .argument('<sync>')
    .option('--repair', 'read again what differs and write it')
    .action(async (sync: string, options: CommonOptions & { repair?: boolean }) => {
      const verdict = await withSession(cli, options, async ({ engine, config, signals }) => {
        const display = showProgress(knownSync(config, sync), cli.terminal, cli.clock, options.json && !cli.terminal.live);
        cli.logLine = display.print;
        try {
          return await engine.verify(sync, {
            repair: options.repair === true,
            signal: signals.stop,
            onProgress: (progress) => display.update(progress),
          });
        } finally {
          display.end();
          cli.logLine = cli.terminal.err;
        }
      });
      const { differences, repaired, failing, conflicts = 0 } = verdict;
      if (differences > repaired || failing > 0 || conflicts > 0) cli.exitCode = 1;
      answer(cli, options, { sync, ...verdict }, (paint) => render(sync, verdict, paint));
    });
}

function render(sync: string, verdict: Verdict, paint: Paint): string {
  const { verified, differences, repaired, failing, examples, conflicts = 0 } = verdict;
  const rows = `${verified.toLocaleString('en-US')} records compared`;
  if (differences === 0 && failing === 0 && conflicts === 0) return `${sync}: ${rows}, ${paint('green', 'no difference')}\n`;
  const lines = [
    `${sync}: ${rows}, ${paint(differences === 0 ? 'green' : 'red', `${differences.toLocaleString('en-US')} differ`)}`,
  ];
  if (failing > 0) lines.push(`  ${failing.toLocaleString('en-US')} have an open failure: tidemark failures list ${sync}`);
  if (conflicts > 0) lines.push(`  ${conflicts.toLocaleString('en-US')} wait for a decision: tidemark conflicts list ${sync}`);
  if (repaired > 0) lines.push(`  ${repaired.toLocaleString('en-US')} repaired`);
  else if (differences > 0) lines.push(`  to do: tidemark verify ${sync} --repair`);
  const table = renderTable(
    ['key', 'difference', 'fields'],
    examples.map((difference) => [difference.key, difference.kind, difference.fields.join(', ')]),
  );
  return `${lines.join('\n')}\n${examples.length === 0 ? '' : `\n${table}`}`;
}
