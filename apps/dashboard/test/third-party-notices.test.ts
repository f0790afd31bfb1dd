import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { thirdPartyNotices } from '../third-party-notices.ts';

// Whoever compiles somebody's work into his own owes the licence with it: what is compiled in is named, whole, and nothing else is.

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'third-party-')));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** @returns the notices of a build of this code */
async function noticesOf(code: string, packages: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<string> {
  for (const [name, files] of Object.entries(packages)) {
    const manifest = { name, version: '1.2.3', license: 'MIT', type: 'module', main: './index.js', sideEffects: false };
    const all = { 'package.json': JSON.stringify(manifest), 'index.js': `export const value = '${name}';`, ...files };
    for (const [file, text] of Object.entries(all)) write(`node_modules/${name}/${file}`, text);
  }
  write('main.js', code);
  await using build = await rolldown({ input: join(folder, 'main.js'), plugins: [thirdPartyNotices()] });
  const { output } = await build.generate();
  const file = output.find(({ fileName }) => fileName === 'THIRD-PARTY-NOTICES.txt');
  return file?.type === 'asset' ? String(file.source) : '';
}

test('what is compiled in is named with its version and all that it says of rights; what is left out or only installed is not', async () => {
  const code = `
    import { value as scoped } from '@some/scoped';
    import { value as plain } from 'plain';
    import { value as unused } from 'unused';
    console.log(plain, scoped);
  `;
  const notices = await noticesOf(code, {
    plain: { LICENSE: 'You may use plain.' },
    '@some/scoped': { 'licence.md': 'You may use scoped.', NOTICE: 'It holds a part of another.', 'README.md': 'Read me.' },
    unused: { LICENSE: 'You may use unused.' },
    installed: { LICENSE: 'You may use installed.' },
  });
  expect(notices.split(/^─+$/m).map((part) => part.trim())).toEqual([
    'What of others is compiled in here, and under which licences.',
    '@some/scoped 1.2.3 (MIT)\n\nIt holds a part of another.\n\nYou may use scoped.',
    'plain 1.2.3 (MIT)\n\nYou may use plain.',
  ]);
});

test('what a package is made of goes along with it; what Vite is made of does not, since it is not in what it builds', async () => {
  const LICENSE = 'You may use it.\n\n# Licenses of bundled dependencies\n\nYou may use its parts.';
  const notices = await noticesOf("import { value } from 'made'; import { value as own } from 'vite'; console.log(value, own);", {
    made: { LICENSE, 'licenses/part.txt': 'A folder is no licence.' },
    vite: { LICENSE },
  });
  expect(notices).toContain(`made 1.2.3 (MIT)\n\n${LICENSE}\n`);
  expect(notices).toMatch(/vite 1\.2\.3 \(MIT\)\n\nYou may use it\.\n$/);
});

test('a package without a licence is not compiled in', async () => {
  const built = noticesOf("import { value } from 'bare'; console.log(value);", { bare: {} });
  await expect(built).rejects.toThrow(/bare 1\.2\.3 brings no licence \(MIT\): put .* into .*licenses.bare\.txt/);
});
