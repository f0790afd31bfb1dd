import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Notification } from './notification.ts';

/** Waits for something that comes from another part of this process, without letting the world's clock pass. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export interface Posted {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A webhook of somebody's. */
export class HookReceiver implements AsyncDisposable {
  readonly posted: Posted[] = [];
  /** How it answers; null lets whoever asks wait for ever. */
  status: number | null = 204;
  url = '';
  readonly #server = createHttpServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      if (request.method === 'POST') this.posted.push({ headers: request.headers, body });
      if (this.status !== null) response.writeHead(this.status, { location: 'http://127.0.0.1:1/' }).end();
    });
  });

  static async open(): Promise<HookReceiver> {
    const receiver = new HookReceiver();
    receiver.url = `http://127.0.0.1:${await listening(receiver.#server)}/services/T0AAAA/B0BBBB/hook-path-secret`;
    return receiver;
  }

  get notifications(): readonly Notification[] {
    return this.posted.flatMap(({ body }) => (JSON.parse(body) as { notifications: Notification[] }).notifications);
  }

  arrived(messages: number): Promise<void> {
    return until(() => this.posted.length >= messages);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A mail server that speaks as much SMTP as it takes to hand it a message (RFC 5321, RFC 4954), and no TLS. */
export class MailServer implements AsyncDisposable {
  readonly mails: { readonly from: string; readonly to: readonly string[]; readonly text: string }[] = [];
  /** Everything that it was told. */
  heard = '';
  port = 0;
  /** Says nothing to whoever connects. */
  hangs = false;
  readonly #sockets = new Set<Socket>();
  readonly #server = createTcpServer((socket) => this.#serve(socket));

  static async open(): Promise<MailServer> {
    const server = new MailServer();
    server.port = await listening(server.#server);
    return server;
  }

  connected(): Promise<void> {
    return until(() => this.#sockets.size > 0);
  }

  /** Whoever had connected is gone. */
  left(): Promise<void> {
    return until(() => [...this.#sockets].every(({ closed }) => closed));
  }

  arrived(mails: number): Promise<void> {
    return until(() => this.mails.length >= mails);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    const say = (line: string) => void socket.write(`${line}\r\n`);
    let mail = { from: '', to: [] as string[] };
    let heard = '';
    let isData = false;
    const handle = (line: string) => {
      const [, verb = ''] = /^([A-Za-z]*)/.exec(line) ?? [];
      switch (verb.toUpperCase()) {
        case 'EHLO':
          say('250-mail.test');
          return say('250 AUTH PLAIN');
        case 'AUTH':
          return say('235 2.7.0 welcome');
        case 'MAIL':
          mail = { from: line.slice('MAIL FROM:'.length), to: [] };
          return say('250 OK');
        case 'RCPT':
          mail.to.push(line.slice('RCPT TO:'.length));
          return say('250 OK');
        case 'DATA':
          isData = true;
          return say('354 go on');
        case 'QUIT':
          say('221 bye');
          return void socket.end();
        default:
          return say('502 not that');
      }
    };
    socket.on('data', (part) => {
      heard += part;
      this.heard += part;
      for (;;) {
        const end = isData ? '\r\n.\r\n' : '\r\n';
        const at = heard.indexOf(end);
        if (at === -1) return;
        const text = heard.slice(0, at);
        heard = heard.slice(at + end.length);
        if (isData) {
          isData = false;
          this.mails.push({ ...mail, text });
          say('250 OK');
        } else handle(text);
      }
    });
    if (!this.hangs) say('220 mail.test');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
