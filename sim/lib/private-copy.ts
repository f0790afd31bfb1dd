import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Edit } from './simulation.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const folders = ['core', 'connectors', 'emulator', 'testkit', 'sim', 'tools'];

/** A copy of the source in which something can be broken without breaking it for others. */
export class PrivateCopy implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'tidemark-mutation-'));

  constructor() {
    for (const folder of folders) {
      cpSync(join(root, folder), join(this.path, folder), { recursive: true, filter: (path) => !path.endsWith('node_modules') });
    }
    for (const file of ['package.json', 'vitest.config.ts']) cpSync(join(root, file), join(this.path, file));
    this.#linkPackages();
  }

  /** Breaks something. Returns how to mend it. @throws {Error} the code has moved on */
  apply(edits: readonly Edit[]): () => void {
    const originals = new Map<string, string>();
    for (const edit of edits) {
      const path = join(this.path, edit.file);
      const text = readFileSync(path, 'utf8');
      if (!originals.has(path)) originals.set(path, text);
      writeFileSync(path, edited(text, edit));
    }
    return () => {
      for (const [path, text] of originals) writeFileSync(path, text);
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** What others made is shared, what is ours comes from the copy. */
  #linkPackages(): void {
    const modules = join(this.path, 'node_modules');
    mkdirSync(join(modules, '@tidemark'), { recursive: true });
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (name !== '@tidemark') symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
    for (const name of ['core', 'emulator', 'testkit']) symlinkSync(join(this.path, name), join(modules, '@tidemark', name));
    for (const name of readdirSync(join(this.path, 'connectors'))) {
      symlinkSync(join(this.path, 'connectors', name), join(modules, '@tidemark', `connector-${name}`));
    }
    // Packages of single workspaces, where npm could not share them.
    symlinkSync(join(root, 'emulator', 'node_modules'), join(this.path, 'emulator', 'node_modules'));
  }
}

/** @throws {Error} what is to be replaced is not there, or more than once */
export function edited(text: string, { file, find, replace }: Edit): string {
  const pieces = text.split(find);
  if (pieces.length === 2) return pieces.join(replace);
  const what = pieces.length === 1 ? 'does not hold' : 'holds more than once';
  throw new Error(
    `${file} ${what}:\n${find}\nThe code has moved on: make the mutation fit it again, so that it breaks the same.`,
  );
}
