import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

// A module of the user's says by an error of ours how a run goes on, whether `tidemark` is installed beside it or, as for `npx` and in
// a checkout, elsewhere. An error that only looks like one of ours would end the run.

const tidemark = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-own-errors-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what a module imports from tidemark is of the process that runs it', async () => {
  const source = `
    import { TransientError } from 'tidemark';
    export const fields = { id: 'text' };
    let isBusy = true;
    export default function* () {
      if (isBusy) {
        isBusy = false;
        throw new TransientError('busy');
      }
      yield { records: [{ id: 'o-1' }] };
    }
  `;
  const configuration = `
    connections: { app: { type: sqlite, path: ./app.db } }
    syncs: { orders: { from: { run: ./orders.js, key: id }, to: { connection: app, table: orders } } }
  `;
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'orders.js'), source);
  writeFileSync(join(folder, 'tidemark.yaml'), configuration);
  const { stdout } = await promisify(execFile)(process.execPath, [tidemark, 'run', 'orders', '--json'], { cwd: folder });
  expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', counts: { created: 1 } });
});
