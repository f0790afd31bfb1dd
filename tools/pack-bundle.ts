import { join } from 'node:path';
import { type OutputOptions, rolldown } from 'rolldown';
import { thirdPartyNotices } from '../apps/dashboard/third-party-notices.ts';
import { connectorsWrittenOut, filesBesideCode } from './pack-plugins.ts';
import { root } from './run-command.ts';

/**
 * Compiles the command line and all of our packages that it is made of, because Node strips no types under node_modules. What is
 * loaded when it is needed stays a file of its own; packages of others stay dependencies.
 *
 * @param ours  the packages that travel inside: name → folder
 * @param doors  what users import: name of the file → its source, from the root of the workspace
 * @param into  a folder; null only looks
 * @returns     names of the packages of others that are imported
 */
export async function bundle(
  ours: ReadonlyMap<string, string>,
  doors: ReadonlyMap<string, string>,
  into: string | null,
): Promise<ReadonlySet<string>> {
  const app = join(root, 'apps/tidemark');
  const build = await rolldown({
    input: { main: join(app, 'src/main.ts'), 'report-crashes': join(app, 'src/report-crashes.ts'), ...Object.fromEntries(doors) },
    cwd: root,
    platform: 'node',
    external: (id) => !/^[./\0]/.test(id) && !ours.has(packageOf(id)),
    plugins: [connectorsWrittenOut([...ours.keys()]), filesBesideCode([app, ...ours.values()]), thirdPartyNotices()],
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  const options: OutputOptions = {
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    // An error is known by the name of its class.
    keepNames: true,
  };
  const { output } = into === null ? await build.generate(options) : await build.write({ ...options, dir: into });
  await build.close();
  const imported = output.flatMap((file) => (file.type === 'chunk' ? [...file.imports, ...file.dynamicImports] : []));
  const written = new Set(output.map(({ fileName }) => fileName));
  return new Set(imported.filter((id) => !id.startsWith('node:') && !written.has(id)).map(packageOf));
}

/** `@scope/name/sub/path` → `@scope/name` */
function packageOf(id: string): string {
  return id
    .split('/')
    .slice(0, id.startsWith('@') ? 2 : 1)
    .join('/');
}
