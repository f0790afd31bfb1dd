import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { expect, vi } from 'vitest';
import { Example, type Running } from '../command-line.ts';

export const secret = 'the secret of the vendor';
export const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 90_000, interval: 100 });

/** The org's side, as `tidemark package` writes it: nobody is asked for it, so that no variable has to mean anything. */
export async function writePackage(config: string): Promise<Package> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-sync-pipe-package-'));
  using example = new Example(config, () => settings({ clientId: 'id', clientSecret: 'secret' }));
  const { exitCode, out, err } = await example.run(['package', '--out', folder]);
  expect(exitCode === 0 ? '' : out + err).toBe('');
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

export interface Package extends Disposable {
  /** An sfdx project. */
  readonly folder: string;
}

const settings = (credentials: { readonly clientId: string; readonly clientSecret: string }) => ({
  SF_CLIENT_ID: credentials.clientId,
  SF_CLIENT_SECRET: credentials.clientSecret,
  VENDOR_URL: 'https://vendor.example',
  VENDOR_TOKEN: 'vendor-token',
  PUSH_SECRET: secret,
});

/** The pipe between an org that publishes over CometD and the vendor's API. */
export interface Pipe {
  readonly org: Emulator;
  /** Whom the pipe signs in as. */
  readonly userId: string;
  readonly vendor: Vendor;
  readonly example: Example;
  accounts(count: number): string[];
  publish(...ids: string[]): void;
  enrichments(): Record<string, unknown>[];
  /** Records that are enriched, by id. */
  written(): unknown[];
  start(): Promise<Running & { readonly url: string }>;
  stop(running: Running): Promise<void>;
  close(): Promise<void>;
}

/** The org has what the package brings; its user may do nothing but what the package's permission sets let them do. */
export async function openPipe(config: string, { folder }: Package): Promise<Pipe> {
  const user = {
    username: 'tidemark@sync-pipe.example',
    profile: 'Minimum Access - API Only Integrations',
    permissionSets: ['Sync_Pipe', 'Sync_Pipe_Org'],
  };
  const org = await startEmulator({ source: folder, records: 0, users: [user] });
  const [credentials] = org.userCredentials;
  const vendor = new Vendor();
  const url = await vendor.listen();
  const example = new Example(config, (kept) => ({
    ...settings(credentials!),
    SF_LOGIN_URL: org.credentials.loginUrl,
    VENDOR_URL: url,
    VENDOR_IS_PRIVATE: 'true',
    PIPE: join(kept, 'queue.db'),
    TIDEMARK_STORE: join(kept, 'store.db'),
  }));
  // As the README says: what reads a queue wants it to be there.
  const made = await example.run(['schema', 'apply']);
  expect(made.exitCode === 0 ? '' : made.err + made.out).toBe('');
  const enrichments = () => {
    const found = org.org.query(
      'SELECT External_Id__c, Record_Id__c, Rating__c, LastModifiedDate FROM Enrichment__c ORDER BY Record_Id__c',
    );
    return found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
  };
  return {
    ...{ org, userId: credentials!.userId, vendor, example, enrichments },
    accounts: (count) =>
      Array.from(
        { length: count },
        (_, i) => org.org.write((tx) => tx.insert('Account', { Name: `A${i}`, Website: `https://${i}.example` })).id!,
      ),
    publish: (...ids) =>
      void org.events.publish('/event/Sync_Request__e', [{ fields: { Record_Ids__c: ids.join(',') } }], org.org.adminUserId),
    written: () => enrichments().map(({ Record_Id__c }) => Record_Id__c),
    async start() {
      const running = example.start(['start', '--port', '0']);
      const { url } = JSON.parse(await running.line('err', (line) => line.includes('"answering HTTP"'))) as { url: string };
      const listens = 'tidemark_stream_state{stream="live:crm:/event/Sync_Request__e:requests",state="live"} 1';
      await eventually(async () => expect(await (await fetch(`${url}/metrics`)).text()).toContain(listens));
      return { ...running, url };
    },
    async stop(running) {
      running.interrupt();
      expect((await running.ended).exitCode).toBe(0);
    },
    async close() {
      example[Symbol.dispose]();
      vendor.close();
      await org.close();
    },
  };
}

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
