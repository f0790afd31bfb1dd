import { builtinModules } from 'node:module';
import { posix } from 'node:path';

/** A file of the workspace; `path` from its root, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One package of the workspace, or the workspace itself (`folder` is empty). */
export interface Manifest {
  readonly folder: string;
  readonly name: string;
  /** All that it declares, development dependencies included. */
  readonly dependencies: readonly string[];
}

export interface Violation {
  readonly place: string;
  readonly message: string;
}

/** Core's floors, lowest first: each knows itself and those below it. */
export const coreFloors = ['base', 'model', 'expression', 'store', 'config', 'pipeline', 'control', 'api'];

/** What each kind of package may import of ours, by package name. Anything may import itself. */
const mayImport: readonly { readonly folder: RegExp; readonly allowed: RegExp; readonly instead: string }[] = [
  {
    folder: /^core$/,
    allowed: /^$/,
    instead: 'core knows no vendor: take what it needs as an argument, or through the interfaces in core/src/model',
  },
  {
    folder: /^connectors\/queue$/,
    allowed: /^@tidemark\/(core|connector-kafka)$/,
    instead: 'a queue knows @tidemark/core and the systems that it may lie in, by their clients',
  },
  {
    folder: /^connectors\//,
    allowed: /^@tidemark\/core$/,
    instead: 'a connector knows @tidemark/core and its driver only: move what two of them share into core',
  },
  {
    folder: /^emulator$/,
    allowed: /^$/,
    instead: 'the emulator imports nothing of ours, so that engine and emulator cannot be wrong together: write it again here',
  },
  {
    folder: /^testkit$/,
    allowed: /^@tidemark\/core$/,
    instead: 'testkit knows @tidemark/core only: let the test hand the connector or the emulator in',
  },
  { folder: /^(apps\/|examples|bench|tools|$)/, allowed: /./, instead: '' },
];

/** Tests may put things together that must not know each other; the emulator's own stay alone with it. */
const testsMayImport = /^@tidemark\/(testkit|emulator|core|connector-.*)$/;

/** Every import that points the wrong way, says so and tells what to do instead. */
export function findViolations(files: readonly SourceFile[], manifests: readonly Manifest[]): Violation[] {
  const deepestFirst = [...manifests].sort((a, b) => b.folder.length - a.folder.length);
  const packageOf = (path: string) => deepestFirst.find(({ folder }) => folder === '' || path.startsWith(`${folder}/`));
  const byName = new Map(manifests.map((manifest) => [manifest.name, manifest]));

  return files.flatMap((file) => {
    const own = packageOf(file.path);
    if (own === undefined) return [];
    const isTest = isForTests(file.path);
    return importsOf(file.text).flatMap(({ specifier, line }) => {
      const message = judge(specifier);
      return message === null ? [] : [{ place: `${file.path}:${line}`, message: `imports ${specifier}: ${message}` }];
    });

    function judge(specifier: string): string | null {
      if (specifier.startsWith('.')) return judgePath(posix.join(posix.dirname(file.path), specifier));
      if (specifier.startsWith('node:')) return null;
      const name = packageNameOf(specifier);
      if (builtinModules.includes(name)) return `write node:${specifier}`;
      if (byName.has(name)) return judgePackage(name, specifier);
      return judgeForeign(name);
    }

    function judgePath(target: string): string | null {
      const other = packageOf(target);
      if (isForTests(target) && !isTest && own!.folder !== '') return 'it is for tests: only they may import it';
      if (other !== own) {
        return own!.folder === '' ? null : `import ${other?.name ?? 'it'} by its name, as any user of that package does`;
      }
      return own!.folder === 'core' && !isTest ? judgeFloors(file.path, target) : null;
    }

    function judgePackage(name: string, specifier: string): string | null {
      if (name === own!.name) return specifier === name ? 'import the file itself, by its path' : null;
      const rule = mayImport.find(({ folder }) => folder.test(own!.folder));
      if (rule === undefined) return `say in tools/floors.ts what ${own!.folder} may import`;
      if (rule.allowed.test(name) || (isTest && own!.folder !== 'emulator' && testsMayImport.test(name))) return null;
      return rule.instead;
    }

    function judgeForeign(name: string): string | null {
      const workspace = byName.get(manifests.find(({ folder }) => folder === '')?.name ?? '');
      const shared = isTest || own!.folder === '' ? (workspace?.dependencies ?? []) : [];
      if (own!.dependencies.includes(name) || shared.includes(name)) return null;
      return `declare it in ${own!.folder === '' ? '' : `${own!.folder}/`}package.json: it is there by the grace of another package`;
    }
  });
}

/** Tests, and what they share: `fixture.ts`, and everything in a folder `test`. All of testkit is for tests and is judged as a package. */
function isForTests(path: string): boolean {
  return /\.test\.ts$|(^|\/)test\//.test(path) || (/(^|[/-])fixture\.ts$/.test(path) && !path.startsWith('testkit/'));
}

function judgeFloors(from: string, to: string): string | null {
  const [floor, other] = [floorOf(from), floorOf(to)];
  // `index.ts` stands outside and shows all floors to others.
  if (floor === null) return null;
  if (other === null) return 'index.ts is the door for other packages: import the file itself';
  const [at, below] = [coreFloors.indexOf(floor), coreFloors.indexOf(other)];
  if (at < 0) return `${floor} is no floor yet: say in tools/floors.ts where it stands`;
  if (below <= at && below >= 0) return null;
  return `${floor} stands below ${other} (${coreFloors.join(' < ')}): move the code down, or take what it needs as an argument`;
}

/** The folder below core/src, or null for files beside the floors. */
function floorOf(path: string): string | null {
  return /^core\/src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/**
 * Statements begin a line (the formatter sees to that), so that an import in a text or a comment is none; `import()` may stand
 * anywhere. Types count: what knows another's types depends on it.
 */
const STATEMENT = /^(?:import|export)\b(?:[^'"`;()]*?\bfrom)?\s*(['"])([^'"\n]+)\1/gm;
const CALL = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g;

export function importsOf(text: string): { specifier: string; line: number }[] {
  return [STATEMENT, CALL]
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map((match) => ({ specifier: match[2]!, line: text.slice(0, match.index).split('\n').length }))
    .sort((a, b) => a.line - b.line);
}
