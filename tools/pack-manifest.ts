import { readFile, realpath } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { bundle } from './pack-bundle.ts';
import { root } from './run-command.ts';

type Versions = Readonly<Record<string, string>>;

interface Manifest {
  readonly exports?: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
}

/** What users install is described by it. Our own packages are its development dependencies, for they travel inside. */
export const manifestFile = 'apps/tidemark/package.json';

/** Our packages that the command line is made of: name → folder. */
export async function travellingPackages(): Promise<ReadonlyMap<string, string>> {
  const { devDependencies = {} } = await readManifest(manifestFile);
  const names = Object.keys(devDependencies).filter((name) => name.startsWith('@tidemark/'));
  return new Map(await Promise.all(names.map(async (name) => [name, await realpath(join(root, 'node_modules', name))] as const)));
}

/** Where the package carries types: each lies there as its source does in the workspace. */
export const typesFolder = 'dist/types';

/** What users import, by `exports`: name of the compiled file → its source, from the root of the workspace. */
export async function doors(): Promise<ReadonlyMap<string, string>> {
  const { exports = {} } = await readManifest(manifestFile);
  const typed = Object.values(exports).filter((door) => typeof door !== 'string');
  return new Map(
    typed.map((door) => [basename(door.default, '.js'), relative(typesFolder, door.types).replace(/\.d\.ts$/, '.ts')]),
  );
}

/**
 * The manifest as it has to be: installing brings the packages of others that the compiled code imports, each in the version with
 * which ours are tested.
 *
 * @param into  where the compiled code goes; null only looks
 */
export async function packageManifest(into: string | null = null): Promise<string> {
  const ours = await travellingPackages();
  const imported = await bundle(ours, await doors(), into);
  const manifest = await readManifest(manifestFile);
  const declared: Record<string, string> = { ...manifest.dependencies };
  for (const folder of ours.values()) Object.assign(declared, (await readManifest(join(folder, 'package.json'))).dependencies);
  const dependencies = Object.fromEntries(
    [...imported].sort().map((name) => {
      if (declared[name] === undefined) throw new Error(`${name} is imported and declared nowhere: npm run check says where`);
      return [name, declared[name]];
    }),
  );
  return `${JSON.stringify({ ...manifest, dependencies }, null, 2)}\n`;
}

/** @param path  from the root of the workspace, or absolute */
async function readManifest(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(resolve(root, path), 'utf8')) as Manifest;
}
