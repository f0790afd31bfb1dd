import { randomBytes } from 'node:crypto';
import { KafkaClient, type Outgoing, StateTopic, Units } from '@tidemark/connector-kafka/client';
import { serviceOrSkip } from '@tidemark/testkit';
import { describe, expect, test, vi } from 'vitest';
import { patient, WorkerProcesses } from './worker-processes.ts';

// The partitions of one topic are read by several workers at once. Whatever befalls one of them, each message is applied once and in its
// record's order, and no part has two effective owners.                                                             (P1, P3, P11)

const kafka = await serviceOrSkip('kafka');
const PARTS = 4;
const KEYS = 60;

/** Another program that writes orders, each with a version that only goes up. */
async function openShop(topic: string) {
  const client = new KafkaClient({ brokers: [kafka.url!], tls: null, sasl: null });
  await client.createTopic(topic, { partitions: PARTS + 1, replicas: -1 });
  const units = new Units(client, new StateTopic(client, `shop-${topic}`));
  const { epoch } = await units.checkpoints.acquire('shop');
  let version = 0;
  return {
    /** Every order once more; some of them twice, so that order is seen within one read as well. Answers how they stand. */
    async write(): Promise<Readonly<Record<string, number>>> {
      const messages: Outgoing[] = [];
      const newest: Record<string, number> = {};
      for (let i = 0; i < KEYS; i++) {
        for (let times = i % 2; times >= 0; times--) {
          newest[`order-${i}`] = ++version;
          messages.push({ topic, key: `order-${i}`, value: JSON.stringify({ id: `order-${i}`, version }) });
        }
      }
      await units.transact('shop', epoch, async ({ send }) => void (await send(messages)) as undefined);
      return newest;
    },
    async [Symbol.asyncDispose]() {
      for (const each of [topic, `shop-${topic}`]) await client.admin.deleteTopics({ topics: [each] }).catch(() => {});
      await units[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(kafka.missing !== null)(`Kafka${kafka.missing === null ? '' : `: ${kafka.missing}`}`, () => {
  test('two workers share a topic; one is killed, and the other goes on for it', async ({ onTestFailed }) => {
    const topic = `orders-${randomBytes(6).toString('hex')}`;
    await using shop = await openShop(topic);
    const orders = {
      from: { connection: 'bus', topic, key: 'id', fields: { id: 'text', version: 'integer' }, group: `${topic}-readers` },
      to: { connection: 'app', table: 'orders' },
      ...{ live: true, parts: PARTS },
    };
    const bus = { type: 'kafka', brokers: kafka.url, state: `state-${topic}` };
    await using workers = await WorkerProcesses.open({ connections: { bus }, syncs: { orders } });
    onTestFailed(() => workers.tell());
    const isCopied = (newest: Readonly<Record<string, number>>) =>
      vi.waitFor(async () => {
        const { rows } = await workers.session.query('SELECT id, version::int FROM orders');
        expect(Object.fromEntries(rows.map(({ id, version }) => [id, version]))).toEqual(newest);
      }, patient);

    const first = await shop.write();
    const one = await workers.start();
    await workers.sharedBy(PARTS, one);
    await isCopied(first);
    await workers.eye.watch({ orders: 'version' });
    await workers.session.query(`
      CREATE TABLE backwards (id text);
      CREATE FUNCTION backwards() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO backwards VALUES (NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER backwards AFTER UPDATE ON orders FOR EACH ROW WHEN (NEW.version < OLD.version) EXECUTE FUNCTION backwards()`);

    let isOpen = true;
    let last = first;
    const busy = (async () => {
      while (isOpen) last = await shop.write();
    })();
    try {
      const other = await workers.start();
      await workers.sharedBy(PARTS, one, other);
      one.child.kill('SIGKILL');
      await workers.sharedBy(PARTS, other);
    } finally {
      isOpen = false;
      await busy;
    }
    await isCopied(last);
    expect(await workers.eye.seen()).toEqual({ twoOwners: [], writtenAgain: [] });
    expect((await workers.session.query('SELECT id FROM backwards')).rows).toEqual([]);
  });
});
