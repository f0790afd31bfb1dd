import { connect, createServer, type Socket } from 'node:net';

/** A wire to a server of tests that can be cut: nothing goes through any more, and neither side is told. */
export interface TcpProxy extends AsyncDisposable {
  /** The same url, through the wire. */
  through(url: string): string;
  cut(): void;
  /** What was open stays dead, as after a firewall has forgotten it; what is opened from now on goes through. */
  mend(): void;
}

/** @param url  where it leads to: host and port count */
export async function startTcpProxy(url: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    // Its own connection is taken and never answered.
    if (isCut) return;
    const upstream = connect(Number(port), hostname);
    sockets.add(upstream);
    upstream.on('error', () => {});
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    through(other) {
      const led = new URL(other);
      led.hostname = '127.0.0.1';
      led.port = String(own);
      return led.href;
    },
    cut() {
      isCut = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    mend() {
      isCut = false;
      destroyAll();
    },
    async [Symbol.asyncDispose]() {
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
