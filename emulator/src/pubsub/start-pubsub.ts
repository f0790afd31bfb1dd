import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type KeyPair, processCertificate } from './certificate.ts';
import type { PubSubContext, PubSubWaits } from './context.ts';
import { createGrpcServer, type GrpcServer } from './grpc-server.ts';
import { createTimers } from './timers.ts';

export interface PubSubOptions extends Partial<PubSubWaits> {
  /** 0, or absent: a free one. */
  port?: number;
  tlsPort?: number;
  /** PEM. Absent: one that is made for the process. */
  tls?: KeyPair;
}

/** The Pub/Sub API on two ports: gRPC without and with TLS. */
export interface PubSub {
  /** `127.0.0.1:53211` */
  readonly endpoint: string;
  readonly tlsEndpoint: string;
  /** PEM of the certificate that the TLS port shows: give it to clients as root. */
  certificate(): Promise<string>;
  close(): Promise<void>;
}

/** As documented: 270 s, 60 s, 1,800 s. */
const waitsDefault: PubSubWaits = { keepaliveMs: 270_000, idleCloseMs: 60_000, publishIdleMs: 1_800_000 };
/** How long clients have for reading the last word of a server that stops. */
const farewellMs = 500;

/**
 * Listens at once, and loads gRPC only when the first client comes: most emulators never see one.
 *
 * @param host  Where to listen; loopback unless the emulator was told otherwise.
 */
export async function startPubSub(
  parts: Omit<PubSubContext, 'timers' | 'waits'>,
  host: string,
  options: PubSubOptions = {},
): Promise<PubSub> {
  const timers = createTimers(parts.org.clock);
  const { port, tlsPort, tls, ...waits } = options;
  const context: PubSubContext = { ...parts, timers, waits: { ...waitsDefault, ...waits } };
  const sockets = new Map<string, Socket>();
  let grpc: Promise<GrpcServer> | undefined;
  let closing = false;
  const keyPair = () => (tls ? Promise.resolve(tls) : processCertificate());
  const server = () => {
    grpc ??= createGrpcServer(context, (peer) => sockets.get(peer)?.destroy());
    return grpc;
  };

  function listener(accept: (socket: Socket) => Promise<void>): Server {
    return createServer({ noDelay: true }, (socket) => {
      const peer = `${socket.remoteAddress}:${socket.remotePort}`;
      sockets.set(peer, socket);
      socket.on('close', () => sockets.delete(peer));
      socket.on('error', () => socket.destroy());
      if (closing) socket.destroy();
      else void accept(socket).catch((error: Error) => socket.destroy(error));
    });
  }

  const plainServer = listener(async (socket) => (await server()).accept(socket));
  const tlsServer = listener(async (socket) => {
    const [ready, pair] = await Promise.all([server(), keyPair()]);
    ready.acceptTls(socket, pair);
  });

  async function close(): Promise<void> {
    closing = true;
    const closed = [plainServer, tlsServer].filter((each) => each.listening).map((each) => once(each.close(), 'close'));
    const running = await grpc;
    running?.hangUp();
    // A client that does not read is not waited for.
    if (sockets.size > 0) await Promise.race([Promise.all(closed), delay(farewellMs, undefined, { ref: false })]);
    running?.close();
    for (const socket of sockets.values()) socket.destroy();
    timers.close();
    await Promise.all(closed);
  }

  try {
    await Promise.all([listen(plainServer, host, port ?? 0), listen(tlsServer, host, tlsPort ?? 0)]);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    endpoint: endpointOf(plainServer),
    tlsEndpoint: endpointOf(tlsServer),
    certificate: async () => (await keyPair()).certificate,
    close,
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}

function endpointOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  const anywhere = address === '0.0.0.0' || address === '::';
  return `${anywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
