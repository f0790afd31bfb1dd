#!/usr/bin/env node
// Plain JavaScript that an old Node can read: it finds a Node that can read the rest.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
const major = Number(process.versions.node.split('.')[0]);

if (major >= NEEDED) {
  delete process.env.TIDEMARK_PINNED_NODE;
  // In a checkout the source itself runs; a package brings what was compiled from it.
  const [code, ending] = existsSync(new URL('../src', import.meta.url)) ? ['../src', 'ts'] : ['../dist', 'js'];
  const { main } = await import(`${code}/main.${ending}`);
  const { reportCrashes } = await import(`${code}/report-crashes.${ending}`);
  reportCrashes();
  process.exitCode = await main(process.argv.slice(2));
} else {
  const node = pinnedNode();
  // The mark keeps a pinned Node that is itself too old from starting itself for ever.
  if (node === null || process.env.TIDEMARK_PINNED_NODE !== undefined) {
    process.stderr.write(
      `tidemark needs Node ${NEEDED} or newer; this is ${process.version}.\n` +
        `Install Node ${NEEDED}, or run it through npm in a checkout (npm run tidemark -- …), which brings its own.\n`,
    );
    process.exitCode = 2;
  } else {
    runWith(node);
  }
}

/** The Node that npm installed beside the dependencies, of the platforms for which there is one. */
function pinnedNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const parts = ['node_modules', `node-${platform}-${process.arch}`, 'bin', process.platform === 'win32' ? 'node.exe' : 'node'];
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, ...parts);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

/** As if this process were the other one: same terminal, same signals, same exit. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, TIDEMARK_PINNED_NODE: '1' },
  });
  // A terminal sends SIGINT to both of us; a supervisor sends SIGTERM to this one only.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    process.stderr.write(`tidemark could not start ${node}: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 128 + ({ SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0));
  });
}
