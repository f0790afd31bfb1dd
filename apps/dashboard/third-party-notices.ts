import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Rolldown } from 'vite';

/** Lies in a build, beside what it is about. */
const NOTICES = 'THIRD-PARTY-NOTICES.txt';
const LICENCE_FILE = /^(licen[cs]e|copying|copyright|notice)/i;
/** Texts of packages that do not bring theirs, as their authors publish them: `<name>.txt`. */
const forgotten = fileURLToPath(new URL('./licenses', import.meta.url));

/** Writes into a build what of others is in it, with the licences that have to go along. A package without one is refused. */
export function thirdPartyNotices(): Rolldown.Plugin {
  return {
    name: 'third-party-notices',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
      const folders = new Set(modules.map(packageFolder).filter((folder) => folder !== null));
      const notices = [...folders].map(noticeOf).sort();
      const source = ['What of others is compiled in here, and under which licences.\n', ...notices].join(
        `\n${'─'.repeat(80)}\n`,
      );
      this.emitFile({ type: 'asset', fileName: NOTICES, source });
    },
  };
}

/** Null for a module of ours. What a bundler adds of its own carries its name: `\0vite/preload-helper.js`. */
function packageFolder(id: string): string | null {
  if (!id.startsWith('\0')) return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? null;
  const [bundler] = id.slice(1).split('/');
  const manifest = findPackageJSON(bundler!, import.meta.url);
  if (manifest === undefined) throw new Error(`nobody knows whose ${JSON.stringify(id)} is`);
  return dirname(manifest);
}

/** `react 19.3.1 (MIT)`, and below it all that the package says of rights. */
function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  const own = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name))
    .map((entry) => entry.name)
    .sort();
  const files = own.length > 0 ? own.map((file) => join(folder, file)) : [join(forgotten, `${name}.txt`)];
  const texts = files.map((file) => {
    if (existsSync(file)) return ownPart(name!, readFileSync(file, 'utf8')).trim();
    throw new Error(`${name} ${version} brings no licence (${license}): put the text that its authors publish into ${file}`);
  });
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
}

/** Vite lists what it is itself made of, too: that is not in what it builds. What another package is made of is. */
function ownPart(name: string, licence: string): string {
  return name !== 'vite' ? licence : licence.split('\n# Licenses of bundled dependencies\n')[0]!;
}
