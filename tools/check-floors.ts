import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { findViolations, type Manifest } from './floors.ts';
import { root } from './run-command.ts';

interface PackageJson {
  readonly name: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: object;
  readonly devDependencies?: object;
  readonly peerDependencies?: object;
}

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const exclude = (path: string) => path === 'node_modules' || path === '.git';

async function filesLike(patterns: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(patterns, { cwd: root, exclude })) found.push(path.replaceAll('\\', '/'));
  return found.filter((path) => !path.includes('node_modules/')).sort();
}

function manifestOf(path: string): Manifest {
  const manifest = JSON.parse(read(path)) as PackageJson;
  const declared = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies };
  return { folder: path.replace(/\/?package\.json$/, ''), name: manifest.name, dependencies: Object.keys(declared) };
}

const { workspaces = [] } = JSON.parse(read('package.json')) as PackageJson;
const manifests = (await filesLike(['package.json', ...workspaces.map((each) => `${each}/package.json`)])).map(manifestOf);
const files = (await filesLike(['**/*.ts', '**/*.tsx', '**/*.js'])).map((path) => ({ path, text: read(path) }));

const violations = findViolations(files, manifests);
for (const { place, message } of violations) console.log(`${place}: ${message}`);
console.log(`${files.length} files, ${violations.length} imports that point the wrong way`);
process.exitCode = violations.length > 0 ? 1 : 0;
