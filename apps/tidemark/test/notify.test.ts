import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// Somebody who sets up who is told can see that they are, before anything is wrong.

let place: Workplace;
let server: Server;
let posted: string[];

beforeEach(async () => {
  place = new Workplace({ HOOK_SECRET: 'a-secret-of-the-environment' });
  posted = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      if (request.method === 'POST') posted.push(body);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  place[Symbol.dispose]();
  await new Promise((resolve) => server.close(resolve));
});

function configure(allowPrivate: boolean): void {
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `${allowPrivate ? 'http' : 'https'}://${host}/hooks/a-path-that-lets-in`;
  place.write(
    'tidemark.yaml',
    `connections: { files: { type: file, folder: . } }
syncs: {}
notifications:
  chat: { webhook: { url: "${url}", secret: "\${HOOK_SECRET}", allowPrivate: ${allowPrivate} } }
`,
  );
}

test('notify test tells them, and check only looks whether they are there', async () => {
  configure(true);
  expect(await place.call('check')).toMatchObject({ exitCode: 0, out: expect.stringContaining('ready') });
  expect(posted).toEqual([]);
  expect(await place.call('notify', 'test')).toMatchObject({ exitCode: 0, out: 'chat was told\n' });
  expect(JSON.parse(posted[0]!)).toMatchObject({ notifications: [{ event: 'test', subject: 'chat' }] });
});

test('who could not be told is said, with what to do and no secret', async () => {
  configure(false);
  const told = await place.call('notify', 'test');
  expect(told).toMatchObject({
    exitCode: 1,
    out: expect.stringContaining('chat could not be told: 127.0.0.1 is not a public address'),
  });
  expect(told.out).toContain('to do: allowPrivate');
  const checked = await place.call('check', '--json');
  expect(checked.exitCode).toBe(1);
  expect(JSON.parse(checked.out)).toMatchObject({ problems: [{ place: 'notifications.chat', severity: 'error' }] });
  expect(told.out + told.err + checked.out + checked.err).not.toMatch(/lets-in|a-secret-of/);
  expect(await place.call('notify', 'test', 'nobody')).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('there is: chat'),
  });
  expect(posted).toEqual([]);
});
