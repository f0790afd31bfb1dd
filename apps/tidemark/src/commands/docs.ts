import { readFile, writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { outlineOf, scrub } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, readConfig, syncNames } from '../cli.ts';
import { GENERATOR, page } from '../docs/page.ts';
import { UsageError } from '../usage-error.ts';

export function docsCommand(cli: Cli): Command {
  return command(
    cli,
    'docs',
    'write the syncs down as one page: diagrams, mappings, schedules, your notes; to print or to share',
    ['tidemark docs', 'tidemark docs --out /srv/www/syncs.html'],
  )
    .option('--out <file>', 'where to; a page that this command wrote before is replaced', './tidemark-docs.html')
    .action(async (options: CommonOptions & { readonly out: string }) => {
      // Nothing is contacted: whoever may read the configuration may document it.
      const { config } = await readConfig(cli, options);
      const outlines = syncNames(config).map((name) => outlineOf(config, name)!);
      const title = basename(config.file).replace(/\.ya?ml$/, '');
      const file = resolve(options.out);
      await replacePage(file, scrub(page({ config, outlines, title, writtenAtMs: cli.clock.now() })));
      answer(cli, options, { file, syncs: outlines.map(({ sync }) => sync) }, () => `${file}\n`);
    });
}

/** @throws {UsageError} something else is there */
async function replacePage(file: string, text: string): Promise<void> {
  const there = await readFile(file, 'utf8').catch(() => null);
  if (there !== null && !there.includes(GENERATOR)) {
    throw new UsageError(`${file} is there already, and no page of this command`, { hint: 'name another file with --out' });
  }
  await writeFile(file, text).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} cannot be written: ${error.code}`, { hint: 'name another file with --out', cause: error });
  });
}
