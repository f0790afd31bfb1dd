import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { importsOf } from './floors.ts';
import { commandOf, root, runNode } from './run-command.ts';

/**
 * Writes the types of what users import, and of what those mention, and no others: below `into` each lies as its source does in a
 * checkout.
 *
 * @param doors  sources, from the root of the workspace
 */
export async function writeTypes(doors: readonly string[], into: string): Promise<void> {
  const all = await mkdtemp(join(tmpdir(), 'tidemark-types-'));
  try {
    await declare(doors, all);
    const mentioned = new Set(doors);
    // It grows while it is gone through.
    for (const source of mentioned) {
      const file = source.replace(/\.ts$/, '.d.ts');
      const text = await readFile(join(all, file), 'utf8');
      for (const { specifier } of importsOf(text)) if (specifier.startsWith('.')) mentioned.add(join(dirname(source), specifier));
      await mkdir(dirname(join(into, file)), { recursive: true });
      await writeFile(join(into, file), text);
    }
  } finally {
    await rm(all, { recursive: true });
  }
}

/** Declarations of these sources and of all that they import. Whether types are right is not asked here: `npm run check` does. */
async function declare(sources: readonly string[], outDir: string): Promise<void> {
  const project = join(outDir, 'tsconfig.json');
  const settings = {
    extends: join(root, 'tsconfig.json'),
    files: sources.map((source) => join(root, source)),
    include: [],
    compilerOptions: {
      ...{ noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true, rootDir: root, outDir },
      typeRoots: [join(root, 'node_modules/@types')],
    },
  };
  await writeFile(project, JSON.stringify(settings));
  const { code, output } = await runNode(commandOf('typescript', 'tsc'), ['-p', project]);
  if (code !== 0) throw new Error(`the types of the package cannot be written:\n${output}`);
}
