import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An order API with pages of a hundred, that remembers what it was asked. */
export class OrderApi {
  /** Number of the newest order. */
  last = 0;
  /** From this order on it answers 500. */
  brokenAfter = Number.POSITIVE_INFINITY;
  asked: number[] = [];
  readonly #server: Server = createServer((request, reply) => {
    const after = Number(new URL(request.url!, 'http://orders').searchParams.get('after'));
    this.asked.push(after);
    if (after >= this.brokenAfter) return void reply.writeHead(500).end();
    const last = Math.min(after + 100, this.last);
    const page = Array.from({ length: last - after }, (_, i) => ({
      id: `O-${after + i + 1}`,
      status: 'open',
      total: 9.5,
      placedAt: '2026-01-02T03:04:05.000Z',
    }));
    reply.setHeader('content-type', 'application/json').end(JSON.stringify({ orders: page, last, more: last < this.last }));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/orders`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
