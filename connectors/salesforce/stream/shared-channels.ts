import { createGrpcClient, type GrpcClient } from './grpc-client.ts';

/**
 * Streams of different orgs on one connection. The service takes a thousand on each (Pub/Sub API guide, "Allocations"); fewer, because a
 * connection that breaks takes them all along, and each of them asks questions besides.
 */
const ORGS_MAX = 200;

interface Channel {
  readonly client: Promise<GrpcClient>;
  users: number;
}

/** By endpoint. */
const channels = new Map<string, Set<Channel>>();

/**
 * As `createGrpcClient`, for orgs that are many: a connection of its own for each would be a thousand handshakes, keepalives and buffers.
 * It is closed by the last who leaves it.
 */
export async function shareGrpcClient(
  endpoint: string,
  connect: (endpoint: string) => Promise<GrpcClient> = createGrpcClient,
): Promise<GrpcClient> {
  const open = channels.get(endpoint) ?? new Set();
  channels.set(endpoint, open);
  let channel = [...open].find(({ users }) => users < ORGS_MAX);
  if (channel === undefined) {
    channel = { client: connect(endpoint), users: 0 };
    open.add(channel);
  }
  const own = channel;
  own.users++;
  let isOver = false;
  const leave = () => {
    if (isOver) return false;
    isOver = true;
    own.users--;
    if (own.users > 0) return false;
    open.delete(own);
    if (open.size === 0) channels.delete(endpoint);
    return true;
  };
  try {
    const client = await own.client;
    return {
      getTopic: (topic, session) => client.getTopic(topic, session),
      getSchema: (id, session) => client.getSchema(id, session),
      subscribe: (session) => client.subscribe(session),
      close: () => {
        if (leave()) client.close();
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}
