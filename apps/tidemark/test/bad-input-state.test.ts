import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { startEmulator } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { type BadInput, BadInputWorld, tryAll } from './bad-input-world.ts';

// What Tidemark remembers may be gone, foreign or somebody else's, and what it is asked for may not exist: it says so, changes
// nothing by mistake, and comes back to the whole by itself or by what it says is to be done.                 (P1, P4, P11)

const STATE = '.tidemark/state.db';
const inState = (world: BadInputWorld, sql: string) => {
  const database = new DatabaseSync(world.place.path(STATE));
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
};
const rowsStay = async (world: BadInputWorld) => {
  expect(await world.sql('SELECT id FROM copy')).toHaveLength(5);
};

describe('the state store', () => {
  const cases: readonly BadInput[] = [
    {
      what: 'a state store of a newer version',
      filled: true,
      arrange: (world) => {
        inState(world, 'UPDATE store_version SET version = version + 100');
        return () => inState(world, 'UPDATE store_version SET version = version - 100');
      },
      exitCode: 1,
      says: /error: the state store has version \d+, and this Tidemark knows versions up to \d+/,
      toDo: /run the newer Tidemark/,
      meanwhile: rowsStay,
    },
    {
      what: 'a state store that is no database',
      filled: true,
      arrange: (world) => {
        const path = world.place.path(STATE);
        const whole = readFileSync(path);
        writeFileSync(path, 'dear diary\n'.repeat(1000));
        return () => writeFileSync(path, whole);
      },
      exitCode: 1,
      says: /error: the state store \S+state\.db refuses: file is not a database/,
      toDo: /backup/,
      meanwhile: rowsStay,
    },
    {
      what: 'a state store that is gone',
      filled: true,
      arrange: (world) => rmSync(world.place.path('.tidemark'), { recursive: true }),
      call: ['status'],
      exitCode: 0,
      says: /s +never run/,
    },
    {
      what: 'a state store in a folder that may not be written',
      unprivileged: true,
      file: (file, world) => {
        mkdirSync(world.place.path('ours'), { mode: 0o755 });
        file.store = { url: './ours/state.db' };
      },
      exitCode: 1,
      says: /error: the state store \S+ours\/state\.db cannot be opened: EACCES/,
      toDo: /folder that this user may write/,
    },
    {
      what: 'a state store that may not be written',
      filled: true,
      unprivileged: true,
      arrange: (world) => {
        chmodSync(world.place.path(STATE), 0o400);
        return () => chmodSync(world.place.path(STATE), 0o600);
      },
      exitCode: 1,
      says: /error: the state store \S+state\.db /,
      toDo: /this user/,
    },
    {
      what: 'a state store on a server that is not there',
      file: (file) => {
        file.store = { url: 'postgres://nobody:hunter2@127.0.0.1:1/state' };
      },
      exitCode: 1,
      says: /error: the state store refuses: connect ECONNREFUSED 127\.0\.0\.1:1/,
      toDo: /server of the state store running/,
      meanwhile: (_, answer) => expect(answer.out + answer.err).not.toContain('hunter2'),
    },
  ];
  tryAll(cases);
});

describe('the checkpoint', () => {
  const cases: readonly BadInput[] = [
    {
      what: 'older than the history of the org: the run is full, and says why',
      filled: true,
      arrange: (world) => world.pass(40 * 24 * 3_600_000),
      exitCode: 0,
      says: /s: full run succeeded .*\(the history since the last run is gone at the source\)/,
    },
    {
      what: 'garbled',
      filled: true,
      arrange: async (world) => {
        await world.sql("UPDATE _tidemark_checkpoints SET checkpoint = 'dear diary'");
        return async () => void (await world.call('reset', 's'));
      },
      exitCode: 1,
      says: /error: the checkpoint cannot be read/,
      toDo: /tidemark reset/,
      meanwhile: rowsStay,
    },
    {
      what: 'of a newer version',
      filled: true,
      arrange: async (world) => {
        await world.sql(`UPDATE _tidemark_checkpoints SET checkpoint = '{"v":9}'`);
        return async () => void (await world.call('reset', 's'));
      },
      exitCode: 1,
      says: /error: a checkpoint of version 9 is newer than this Tidemark/,
      toDo: /reset the sync/,
      meanwhile: rowsStay,
    },
  ];
  tryAll(cases);
});

describe('what is asked for', () => {
  const unknown = (...call: string[]): BadInput => ({
    what: `${call[0]} of an unknown sync`,
    filled: true,
    call,
    exitCode: 2,
    says: /error: there is no sync nope in \S+tidemark\.yaml/,
    toDo: /it has: s/,
  });
  const cases: readonly BadInput[] = [
    unknown('run', 'nope'),
    unknown('verify', 'nope'),
    unknown('plan', 'nope'),
    unknown('status', 'nope'),
    unknown('reset', 'nope'),
    unknown('pause', 'nope'),
    unknown('refetch', 'nope', '003000000000001AAA'),
    {
      what: 'refetch of an id that the org does not have',
      filled: true,
      call: ['refetch', 's', '003000000000001AAA'],
      exitCode: 0,
      says: /s: retry run succeeded/,
      meanwhile: (world, { err }) => {
        expect(err).toMatch(/"keys":\["003000000000001AAA"\],"msg":"the source has no such records"/);
        return rowsStay(world);
      },
    },
    {
      what: 'refetch of what is no id',
      filled: true,
      call: ['refetch', 's', 'bo@example.com'],
      exitCode: 0,
      says: /s: retry run succeeded/,
      meanwhile: (world, { err }) => {
        expect(err).toMatch(/"keys":\["bo@example.com"\],"msg":"the source has no such records"/);
        return rowsStay(world);
      },
    },
    {
      what: 'refetch without ids',
      filled: true,
      call: ['refetch', 's'],
      exitCode: 2,
      says: /missing required argument 'ids'/,
    },
    {
      what: 'retry of an unknown failure',
      filled: true,
      call: ['failures', 'retry', '4711'],
      exitCode: 2,
      says: /error: there is no open failure 4711/,
      toDo: /failures list/,
    },
    {
      what: 'retry of what is no number of a failure',
      filled: true,
      call: ['failures', 'retry', '003000000000001AAA'],
      exitCode: 2,
      says: /error: there is no open failure 003000000000001AAA/,
      toDo: /failures list/,
    },
    {
      what: 'verify before the first run',
      call: ['verify', 's'],
      exitCode: 1,
      says: /error: s has not completed a full run yet, so there is nothing to verify/,
      toDo: /tidemark run s/,
    },
    {
      what: 'verify of a target that cannot be read',
      file: (file) => {
        file.connections.out = { type: 'console' };
        file.syncs.s!.to = { connection: 'out' };
      },
      arrange: async (world) => {
        expect((await world.call('run', 's')).exitCode).toBe(0);
      },
      call: ['verify', 's'],
      exitCode: 1,
      says: /error: the target of s cannot be read back/,
      toDo: /verify works on databases/,
    },
  ];
  tryAll(cases);
});

test('another org than the one that filled the table is refused, until somebody says that it is meant', async () => {
  await using world = await BadInputWorld.open('sqlite');
  world.configure();
  expect(await world.call('run', 's')).toMatchObject({ exitCode: 0 });
  await using other = await anotherOrg();
  const { loginUrl, clientId, clientSecret } = other.emulator.credentials;
  world.place.env.SF_CLIENT_SECRET = clientSecret;
  world.configure((file) => {
    Object.assign(file.connections.org!, { loginUrl, auth: { ...(file.connections.org!.auth as object), clientId } });
  });
  for (const call of [
    ['run', 's'],
    ['run', 's', '--full'],
    ['run', 's', '--dry-run'],
    ['verify', 's'],
  ]) {
    const answer = await world.call(...call);
    const said = answer.out + answer.err;
    expect(said).toContain(
      `the target holds records of ${world.emulator.org.id}, and the connection now leads to ${other.emulator.org.id}`,
    );
    expect(said).toMatch(/to do: if that is meant .*tidemark reset s/);
    expect(answer.exitCode).toBe(1);
  }
  await rowsStay(world);
  expect(await world.call('reset', 's')).toMatchObject({ exitCode: 0 });
  expect(await world.call('run', 's', '--sweep-max', '100%')).toMatchObject({ exitCode: 0 });
  expect(await world.sql('SELECT last FROM copy')).toEqual([{ last: 'Zoe' }]);
});

async function anotherOrg() {
  const emulator = await startEmulator({ seed: 77 });
  emulator.org.write((transaction) => transaction.insert('Contact', { LastName: 'Zoe' }));
  return { emulator, [Symbol.asyncDispose]: () => emulator.close() };
}

test('two processes run one sync: the one that was overtaken stops and has changed nothing since', async () => {
  await using world = await BadInputWorld.open('sqlite');
  const source = `
export const fields = { id: 'text', last: 'text' };
export default async function* () {
  yield { records: [{ id: 'a', last: 'Ann' }] };
  await globalThis.tidemarkTestGate?.();
  yield { records: [{ id: 'a', last: 'late' }, { id: 'b', last: 'late' }] };
}
`;
  world.place.write('source.ts', source);
  world.configure((file) => {
    Object.assign(file.syncs.s!, { from: { run: './source.ts', key: 'id' } });
    delete file.syncs.s!.fields;
  });
  const gate = globalThis as { tidemarkTestGate?: (() => Promise<void>) | undefined };
  let open = () => {};
  const reached = new Promise<void>((resolve) => {
    gate.tidemarkTestGate = () => {
      gate.tidemarkTestGate = undefined;
      resolve();
      return new Promise<void>((pass) => {
        open = pass;
      });
    };
  });
  const overtaken = world.call('run', 's');
  await reached;
  expect(await world.call('run', 's')).toMatchObject({ exitCode: 0 });
  await world.sql("UPDATE copy SET last = 'newer'");
  open();
  const answer = await overtaken;
  expect(answer.out).toMatch(/error: .*epoch 1 is not the latest \(2\)/);
  expect(answer.out).toMatch(/to do: .*another process/);
  expect(answer.exitCode).toBe(1);
  expect(await world.sql('SELECT id, last FROM copy ORDER BY id')).toEqual([
    { id: 'a', last: 'newer' },
    { id: 'b', last: 'newer' },
  ]);
});

test('nobody reads standard output any more: what was asked for is done all the same, without a trace of the broken pipe', async () => {
  await using world = await BadInputWorld.open('sqlite');
  world.configure();
  const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
  const child = spawn(process.execPath, [bin, 'run', 's'], { cwd: world.place.folder, env: { ...world.place.env } });
  child.stdout.destroy();
  let err = '';
  child.stderr.on('data', (data) => {
    err += data;
  });
  const exitCode = await new Promise((resolve) => child.on('close', resolve));
  expect(err).not.toMatch(/EPIPE|at .*\.ts:\d+/);
  expect(exitCode).toBe(0);
  await rowsStay(world);
  await world.expectWhole();
});

test('a dry run over a table that is filled already tells what would change, and what would not', async () => {
  await using world = await BadInputWorld.open('sqlite');
  world.configure();
  expect(await world.call('run', 's')).toMatchObject({ exitCode: 0 });
  const dry = await world.call('run', 's', '--full', '--dry-run', '--json');
  expect(JSON.parse(dry.out).counts).toMatchObject({ created: 0, updated: 0, unchanged: expect.any(Number) });
  expect(JSON.parse(dry.out).counts.unchanged).toBeGreaterThan(0);
});
