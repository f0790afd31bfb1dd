import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, readConfig, withSession } from '../cli.ts';
import { chooseOrg } from '../package/choose-org.ts';
import { Names } from '../package/names.ts';
import { openQuestions } from '../package/open-questions.ts';
import { orgUse } from '../package/org-use.ts';
import { type PackagePlan, planPackage } from '../package/plan-package.ts';
import { projectFiles } from '../package/project.ts';
import { writeNewFiles } from '../write-new-files.ts';

interface Options extends CommonOptions {
  readonly out: string;
  readonly force?: boolean;
}

export function packageCommand(cli: Cli): Command {
  return command(
    cli,
    'package',
    'write the Salesforce side as an sfdx project: objects, events, Flows, permission sets, and what makes a package of it',
    ['tidemark package', 'tidemark package --out ../acme-package', 'tidemark package --force'],
  )
    .option('--out <folder>', 'where to', './salesforce')
    .option('--force', 'write over files that are there and differ')
    .action(async (options: Options) => {
      const plan = await planned(cli, options);
      const written = await writeNewFiles(options.out, projectFiles(plan), { force: options.force === true });
      answer(cli, options, { written, notes: plan.notes }, (paint) =>
        [
          ...plan.notes.map((note) => `${paint('yellow', '!')} ${note}`),
          `written: ${written.length} files in ${options.out}`,
          `next: ${options.out}/README.md tells how it is tried, versioned and installed`,
          '',
        ].join('\n'),
      );
    });
}

/** Somebody is asked only where the configuration does not tell. */
async function planned(cli: Cli, options: Options): Promise<PackagePlan> {
  const { config } = await readConfig(cli, options);
  const org = chooseOrg(config);
  const use = orgUse(org, config.package);
  const questions = openQuestions(org, use, config.package, new Names(config.package.namespace));
  if (questions === null) return planPackage(org, use, config.package);
  return withSession(cli, options, async ({ engine, signals }) =>
    planPackage(org, use, config.package, await engine.packageFacts(questions, signals.stop)),
  );
}
