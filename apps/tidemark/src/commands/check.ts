import type { Captured, Problem } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { renderProblem } from '../failure-report.ts';
import { writeNewFiles } from '../write-new-files.ts';

interface Options extends CommonOptions {
  readonly select?: boolean;
  readonly writeMetadata?: string;
}

export function checkCommand(cli: Cli): Command {
  return command(cli, 'check', 'check configuration, connections and permissions; changes nothing unless told to', [
    'tidemark check',
    'tidemark check --select',
    'tidemark check --write-metadata ./change-data-capture',
  ])
    .option('--select', 'select the objects of live syncs for Change Data Capture, where they are not')
    .option('--write-metadata <folder>', 'write that selection as an sfdx project, to be deployed by somebody who may')
    .action(async (options: Options) => {
      const done = await withSession(cli, options, async ({ engine, signals }) => {
        const selected = options.select ? await engine.captureStreams(signals.stop) : [];
        const files = options.writeMetadata === undefined ? null : await engine.captureFiles(signals.stop);
        const written = files === null ? [] : await writeNewFiles(options.writeMetadata!, files);
        return { selected, written, problems: await engine.check(signals.stop) };
      });
      const { selected, written, problems } = done;
      const errors = problems.filter((problem) => problem.severity === 'error').length;
      cli.exitCode = errors > 0 ? 1 : 0;
      const document = {
        ok: errors === 0,
        problems,
        ...(options.select ? { selected } : {}),
        ...(options.writeMetadata === undefined ? {} : { written }),
      };
      answer(cli, options, document, (paint) => {
        const lines = options.select ? selected.map(selectedLine) : [];
        if (written.length > 0) {
          lines.push(`written: ${written.join(', ')}`);
          lines.push(`next: cd ${options.writeMetadata} && sf project deploy start --manifest package.xml --target-org <org>`);
        }
        lines.push(...problems.flatMap((problem: Problem) => renderProblem(problem, paint)));
        if (problems.length === 0) lines.push(paint('green', 'ready: every connection answers and nothing is missing'));
        else if (errors === 0)
          lines.push(`${paint('green', 'ready')}: every connection answers; see what is said above all the same`);
        else lines.push(`${errors} ${errors === 1 ? 'thing is' : 'things are'} missing`);
        return `${lines.join('\n')}\n`;
      });
    });
}

function selectedLine({ connection, datasets }: Captured): string {
  if (datasets.length === 0) return `${connection}: everything that live syncs listen for was selected already`;
  return `${connection}: selected ${datasets.join(', ')} for Change Data Capture`;
}
