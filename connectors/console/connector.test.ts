import { execFile } from 'node:child_process';
import { PassThrough, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { type Change, type DeleteRule, newRow, RequestRefusedError, type Row, systemClock } from '@tidemark/core';
import { contact, contactSchema, describeTargetContract, remove, type TargetFixture, upsert } from '@tidemark/testkit';
import { describe, expect, test } from 'vitest';
import { consoleTo } from './config.ts';
import { createConsoleConnector } from './connector.ts';

const context = {
  connection: 'out',
  clock: systemClock,
  random: Math.random,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  fetch,
  baseDir: '.',
};

/** Both streams, and the lines that came out of each so far. */
function createStreams() {
  const texts = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') =>
    new PassThrough().on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString();
    });
  const lines = (name: 'stdout' | 'stderr') => texts[name].split('\n').filter((line) => line !== '');
  return { streams: { stdout: stream('stdout'), stderr: stream('stderr') }, lines };
}

function openTarget(streams: { stdout: Writable; stderr: Writable }, to: object = {}, deletes: DeleteRule = 'mirror') {
  const connection = createConsoleConnector(streams).open({}, context);
  const spec = { to: consoleTo.parse(to), unit: 'contract', schema: contactSchema, deletes };
  return connection.openTarget!(spec, AbortSignal.timeout(60_000));
}

async function createFixture(): Promise<TargetFixture> {
  const { streams, lines } = createStreams();
  return {
    open: ({ deletes }) => openTarget(streams, {}, deletes),
    // Whoever reads the lines can tell what there is.
    async rows() {
      const rows = new Map<string, Row>();
      for (const { op, key, row } of lines('stdout').map((line) => JSON.parse(line) as Change)) {
        if (op === 'delete') rows.delete(key);
        else rows.set(key, Object.assign(newRow(), row));
      }
      return rows;
    },
    async [Symbol.asyncDispose]() {},
  };
}

describeTargetContract('console', createFixture, { compares: false, checkpoints: false, loads: false, typed: false });

const commit = { epoch: 1, settle: async () => null };
const never = new AbortController().signal;

describe('lines', () => {
  test('each change is one line of JSON with the message of the user', async () => {
    const { streams, lines } = createStreams();
    await using target = await openTarget(streams, { message: '{$op} {$key}: {Name} owes {Amount}, {"x"} {}' });
    await target.write([upsert(contact('a', { Name: 'Ada\n"Lovelace"', Amount: 1.5 })), remove('b')], commit, never);
    expect(lines('stdout').map((line) => JSON.parse(line) as object)).toEqual([
      {
        message: 'upsert a: Ada\n"Lovelace" owes 1.5, {"x"} {}',
        op: 'upsert',
        key: 'a',
        row: { ...contact('a', { Name: 'Ada\n"Lovelace"', Amount: 1.5 }) },
      },
      { message: 'delete b:  owes , {"x"} {}', op: 'delete', key: 'b', row: null },
    ]);
    expect(lines('stderr')).toEqual([]);
  });

  test('lines go to standard error when that is wished', async () => {
    const { streams, lines } = createStreams();
    await using target = await openTarget(streams, { stream: 'stderr' });
    await target.write([upsert(contact('a'))], commit, never);
    expect([lines('stdout').length, lines('stderr').length]).toEqual([0, 1]);
  });

  test('a message with a field that does not arrive is refused, and the fields that do are named', async () => {
    const opening = openTarget(createStreams().streams, { message: '{Nmae}' });
    await expect(opening).rejects.toThrow(RequestRefusedError);
    await expect(opening).rejects.toMatchObject({
      message: expect.stringContaining('Nmae'),
      hint: expect.stringContaining('Name'),
    });
  });

  // A checkpoint that is kept before the lines are out skips them when the process dies.                              (P1)
  test('results are settled only after the lines are out, and not at all when they are not', async () => {
    let release: (error?: Error) => void = () => {};
    const slow = new Writable({
      write(_chunk, _encoding, done) {
        release = done;
      },
    });
    await using target = await openTarget({ stdout: slow, stderr: slow });
    let settled = 0;
    const settle = async () => {
      settled++;
      return null;
    };
    const counting = { epoch: 1, settle };
    const writing = target.write([upsert(contact('a'))], counting, never);
    await new Promise(setImmediate);
    expect(settled).toBe(0);
    release();
    await writing;
    expect(settled).toBe(1);
    const broken = target.write([upsert(contact('b'))], counting, never);
    release(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await expect(broken).rejects.toThrow(RequestRefusedError);
    await expect(target.write([upsert(contact('c'))], counting, never)).rejects.toThrow(RequestRefusedError);
    expect(settled).toBe(1);
  });

  test('a reader that goes away ends the run with our error, not the process with its own', async () => {
    const script = `
      import connector from ${JSON.stringify(import.meta.resolve('./connector.ts'))};
      const spec = { to: { message: 'x'.repeat(1000), stream: 'stdout' }, unit: 'u', deletes: 'mirror', schema: { name: 'C', key: ['Id'], fields: [] } };
      const target = await connector.open({}, {}).openTarget(spec);
      const change = { op: 'upsert', key: 'a', row: {}, stampMs: 0 };
      try { for (;;) await target.write([change], { epoch: 1, settle: async () => null }, new AbortController().signal); }
      catch (error) { console.error(error.code); process.exitCode = 3; }`;
    const piped = `"${process.execPath}" --input-type=module -e '${script.replaceAll("'", `'"'"'`)}' | head -n 1 >/dev/null; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', piped]);
    expect([stdout.trim(), stderr.trim()]).toEqual(['3', 'request_refused']);
  });
});
