import { randomUUID } from 'node:crypto';
import { AccessDeniedError, NotConnectedError } from '@tidemark/core';
import { createClient } from 'redis';
import { describe, expect, test } from 'vitest';
import { redisService } from './fixture.ts';
import { RedisQueues } from './redis-queues.ts';

const { url, missing } = await redisService();
const schema = { name: 'q', key: ['id'], fields: [{ name: 'id', type: 'text', nullable: false }] } as const;

test('a Redis that is not there is said so without a word of the password (P10)', async () => {
  const queues = new RedisQueues('redis://u:hunter2hunter2@127.0.0.1:1', 't', 'q');
  const error = await queues.names().catch((fault: unknown) => fault);
  expect(error).toBeInstanceOf(NotConnectedError);
  expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toContain('hunter2');
  await queues.close();
});

describe.skipIf(missing !== null)('queues in Redis', () => {
  test('a wrong password is refused for good, and is not told (P10)', async () => {
    const wrong = new URL(url!);
    wrong.username = 'somebody';
    wrong.password = 'hunter2hunter2';
    const queues = new RedisQueues(wrong.href, 't', 'q');
    const error = await queues.names().catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(AccessDeniedError);
    expect((error as Error).message).not.toContain('hunter2');
    await queues.close();
  });

  test('whoever asks at the same time shares one connection, and none is left when it is closed', async () => {
    const prefix = `test-${randomUUID()}`;
    const queues = new RedisQueues(url!, prefix, 'q');
    const client = await createClient({ url: url! }).connect();
    const ours = async () => (await client.clientList()).filter(({ name }) => name === `tidemark:{${prefix}}`).length;
    await Promise.all([queues.names(), queues.names(), queues.facts('q')]);
    expect(await ours()).toBe(1);
    await queues.close();
    await expect.poll(ours).toBe(0);
    client.destroy();
  });

  test('a consumer is a group of the stream, whose lag Redis itself tells; a connection that breaks is made anew', async () => {
    const prefix = `test-${randomUUID()}`;
    const queues = new RedisQueues(url!, prefix, 'q');
    await queues.prepare('q', schema);
    const { epoch } = await queues.checkpoints.acquire('u');
    const changes = ['a', 'b', 'c'].map((key) => ({ op: 'upsert' as const, key, row: { id: key }, stampMs: 0 }));
    await queues.append([{ queue: 'q', changes }], { unit: 'u', epoch, checkpoint: 'one' }, 1000);
    await queues.acknowledge('q', 'reader', 2, 2000, Number.MAX_SAFE_INTEGER);
    const client = await createClient({ url: url! }).connect();
    expect(await client.xInfoGroups(`{${prefix}}:log:q`)).toMatchObject([{ name: 'reader', 'last-delivered-id': '2-0', lag: 1 }]);
    const ours = (await client.clientList()).filter(({ name }) => name === `tidemark:{${prefix}}`);
    for (const { id } of ours) await client.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]);
    const all = { after: 0, until: 3, limit: 10 };
    const again = await queues.read('q', all).catch(() => queues.read('q', all));
    expect(again.messages.map((message) => [message.seq, 'change' in message && message.change.key])).toEqual([[3, 'c']]);
    expect(await queues.facts('q')).toMatchObject({ lastSeq: 3, goneSeq: 2 });
    for await (const keys of client.scanIterator({ MATCH: `{${prefix}}*` })) if (keys.length > 0) await client.del(keys);
    client.destroy();
    await queues.close();
  });

  test('a message that somebody has changed by hand is told with what it holds, and stops no other (P2)', async () => {
    const prefix = `test-${randomUUID()}`;
    const queues = new RedisQueues(url!, prefix, 'q');
    await queues.prepare('q', schema);
    const { epoch } = await queues.checkpoints.acquire('u');
    const changes = ['a', 'b', 'c'].map((key) => ({ op: 'upsert' as const, key, row: { id: key }, stampMs: 0 }));
    await queues.append([{ queue: 'q', changes }], { unit: 'u', epoch, checkpoint: null }, 1000);
    const client = await createClient({ url: url! }).connect();
    // Nothing of a stream is changed in place: all of it is put there again, the second one by other fields.
    const log = `{${prefix}}:log:q`;
    const before = (await client.xRange(log, '-', '+')) ?? [];
    await client.del(log);
    for (const { id, message } of before) await client.xAdd(log, id, id === '2-0' ? { hello: 'there' } : message);
    expect((await queues.read('q', { after: 0, until: 3, limit: 10 })).messages).toMatchObject([
      { seq: 1, change: { key: 'a' } },
      { seq: 2, unread: { key: 'q/2', raw: { hello: 'there' } } },
      { seq: 3, change: { key: 'c' } },
    ]);
    for await (const keys of client.scanIterator({ MATCH: `{${prefix}}*` })) if (keys.length > 0) await client.del(keys);
    client.destroy();
    await queues.close();
  });

  test('check names the settings by which messages would be lost', async () => {
    const client = await createClient({ url: url! }).connect();
    const queues = new RedisQueues(url!, 't', 'q');
    expect(await queues.warnings('connections.q')).toEqual([]);
    await client.configSet('appendfsync', 'everysec');
    await client.configSet('maxmemory-policy', 'allkeys-lru');
    try {
      expect((await queues.warnings('connections.q')).map(({ message }) => message)).toEqual([
        expect.stringContaining('forgets'),
        expect.stringContaining('allkeys-lru'),
      ]);
    } finally {
      await client.configSet('appendfsync', 'always');
      await client.configSet('maxmemory-policy', 'noeviction');
      client.destroy();
      await queues.close();
    }
  });
});
