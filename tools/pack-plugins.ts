import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Plugin } from 'rolldown';
import { root } from './run-command.ts';

/** A file that our code opens by where it lies itself: `new URL('./worker.ts', import.meta.url)`. */
const besideItself = /new URL\(\s*(['"])(\.[^'"]+)\1,\s*import\.meta\.url\s*\)/g;

/**
 * What code opens beside itself comes along: a worker's entry as a file of code, anything else as it is. What is no file, or a
 * program of a package that does not travel, is a checkout's: it is looked for as if all code lay directly in apps/tidemark/src.
 * Another way to find such a file would work in a checkout and fail in a package, so it is refused here.
 *
 * @param travelling  folders of the packages that are compiled
 */
export function filesBesideCode(travelling: readonly string[]): Plugin {
  const from = join(root, 'apps/tidemark/src');
  return {
    name: 'files-beside-code',
    transform(code, id) {
      if (!id.startsWith(root) || id.includes('/node_modules/')) return null;
      const changed = code.replace(besideItself, (_, _quote, path: string) => {
        const file = resolve(dirname(id), path);
        const isProgram = file.endsWith('.ts');
        const comes = isProgram ? travelling.some((folder) => file.startsWith(`${folder}/`)) : isFile(file);
        if (!comes) return `new URL(${JSON.stringify(relative(from, file))}, import.meta['url'])`;
        const reference = isProgram
          ? this.emitFile({ type: 'chunk', id: file, name: basename(file, '.ts') })
          : this.emitFile({ type: 'asset', fileName: relative(root, file), source: readFileSync(file) });
        return `new URL(import.meta.ROLLUP_FILE_URL_${reference})`;
      });
      const other = /import\.meta\.(?:url|filename|dirname|resolve)/.exec(changed);
      if (other !== null)
        this.error(`${relative(root, id)}: ${other[0]} is lost when packed; write new URL('./the-file', import.meta.url)`);
      return changed === code ? null : changed;
    },
  };
}

/** In a checkout connectors are found by the names of dependencies; here every one is written out, and still loaded on its own. */
export function connectorsWrittenOut(names: readonly string[]): Plugin {
  return {
    name: 'connectors-written-out',
    load(id) {
      if (!id.endsWith('/apps/tidemark/src/connector-packages.ts')) return null;
      const list = names
        .filter((name) => name.startsWith('@tidemark/connector-'))
        .map((name) => `${JSON.stringify(name)}: () => import(${JSON.stringify(name)}),`);
      return { code: `export const connectorPackages = {\n${list.join('\n')}\n};\n`, moduleType: 'js' };
    },
  };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
