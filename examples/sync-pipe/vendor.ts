import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Knows a company of each record, and remembers how many it was asked for at once. */
export class Vendor {
  asked: number[] = [];
  rating = 'A';
  down = false;
  readonly #server: Server = createServer((request, reply) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      if (this.down) return void reply.writeHead(503).end();
      if (request.method === 'GET') return void reply.end();
      if (request.headers.authorization !== 'Bearer vendor-token') return void reply.writeHead(401).end();
      const { recordId } = JSON.parse(text) as { recordId: string[] };
      this.asked.push(recordId.length);
      const known = recordId.filter((id) => !id.startsWith('none'));
      const companies = known.map((id) => ({ recordId: id, id: `c-${id}`, rating: this.rating, employees: 12 }));
      reply.setHeader('content-type', 'application/json').end(JSON.stringify(companies));
    });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
