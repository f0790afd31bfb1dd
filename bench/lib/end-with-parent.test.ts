import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { fileOf, firstLine, start, stop } from './child.ts';

// A bench may be killed at any time; processes that it leaves behind take the CPU of whatever is measured next.

test('whoever was started by a process that is killed ends as well', async () => {
  const bench = spawn(process.execPath, [fileOf('./abandoning-process.ts'), '{}'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let waiting = 0;
  bench.stderr!.resume();
  const said = new Promise<void>((resolve) => {
    // Its own line, and that of the process that inherits its stdout.
    bench.stdout!.setEncoding('utf8').on('data', (text: string) => {
      waiting += text.split('\n').length - 1;
      if (waiting === 2) resolve();
    });
  });
  await said;
  const closed = once(bench, 'close');
  bench.kill('SIGKILL');
  // Its processes hold its stdout and stderr as well: both close with the last of them.
  expect(await closed).toEqual([null, 'SIGKILL']);
});

test('while it is there, they go on until they are done or told to end', async () => {
  const child = start('./waiting-process.ts', {});
  expect(await firstLine<{ pid: number }>(child)).toEqual({ pid: child.pid });
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  await stop(child);
  expect(child.signalCode).toBe('SIGTERM');
});
