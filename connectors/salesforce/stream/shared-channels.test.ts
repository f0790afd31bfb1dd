import { expect, test } from 'vitest';
import type { GrpcClient } from './grpc-client.ts';
import { shareGrpcClient } from './shared-channels.ts';

// A thousand orgs on a handful of connections, and none that stays open for nobody.

const endpoint = (() => {
  let n = 0;
  return () => `test-${++n}:443`;
})();

function counting() {
  const made: { open: boolean }[] = [];
  const connect = async () => {
    const channel = { open: true };
    made.push(channel);
    return { close: () => (channel.open = false) } as unknown as GrpcClient;
  };
  return { made, connect };
}

test('orgs share connections, each of which is closed by the last who leaves it', async () => {
  const { made, connect } = counting();
  const at = endpoint();
  const clients = await Promise.all(Array.from({ length: 450 }, () => shareGrpcClient(at, connect)));
  expect(made).toHaveLength(3);
  for (const client of clients.slice(0, 200)) {
    client.close();
    // Who leaves twice takes nobody's place.
    client.close();
  }
  expect(made.map(({ open }) => open)).toEqual([false, true, true]);
  // A connection with room is used before another one is made.
  await shareGrpcClient(at, connect);
  expect(made).toHaveLength(3);
  for (const client of clients.slice(200)) client.close();
  expect(made.filter(({ open }) => open)).toHaveLength(1);
});

test('a connection that cannot be made is nobody’s: the next one tries anew', async () => {
  const at = endpoint();
  const refused = async () => {
    throw new Error('no route');
  };
  await expect(shareGrpcClient(at, refused)).rejects.toThrow('no route');
  const { made, connect } = counting();
  await shareGrpcClient(at, connect);
  expect(made).toHaveLength(1);
});

test('another endpoint is another connection', async () => {
  const { made, connect } = counting();
  await shareGrpcClient(endpoint(), connect);
  await shareGrpcClient(endpoint(), connect);
  expect(made).toHaveLength(2);
});
