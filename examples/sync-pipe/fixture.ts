import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { expect, vi } from 'vitest';
import { Example, type Running } from '../command-line.ts';

export const secret = 'the secret of the vendor';
export const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 40_000, interval: 100 });

/** The pipe between an org that publishes over CometD and the vendor's API. */
export interface Pipe {
  readonly org: Emulator;
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

export async function openPipe(config: string): Promise<Pipe> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-sync-pipe-'));
  writeObject(folder);
  const event = { name: 'Sync_Request__e', fields: [{ name: 'Record_Ids__c', type: 'longtext' }] } as const;
  const org = await startEmulator({ source: folder, records: 0, platformEvents: [event] });
  const vendor = new Vendor();
  const url = await vendor.listen();
  const { loginUrl, clientId, clientSecret } = org.credentials;
  const example = new Example(config, (kept) => ({
    SF_LOGIN_URL: loginUrl,
    SF_CLIENT_ID: clientId,
    SF_CLIENT_SECRET: clientSecret,
    VENDOR_URL: url,
    VENDOR_TOKEN: 'vendor-token',
    VENDOR_IS_PRIVATE: 'true',
    PUSH_SECRET: secret,
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
    ...{ org, vendor, example, enrichments },
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
      rmSync(folder, { recursive: true });
    },
  };
}

/** The custom object in which the vendor's data lie. */
function writeObject(folder: string): void {
  const object = join(folder, 'main/default/objects/Enrichment__c');
  mkdirSync(join(object, 'fields'), { recursive: true });
  const xml = (root: string, inner: string) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://soap.sforce.com/2006/04/metadata">${inner}</${root}>\n`;
  const nameField = '<nameField><type>AutoNumber</type><label>Name</label><displayFormat>E-{0000}</displayFormat></nameField>';
  const about = `<label>Enrichment</label><pluralLabel>Enrichments</pluralLabel>${nameField}<deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel>`;
  writeFileSync(join(object, 'Enrichment__c.object-meta.xml'), xml('CustomObject', about));
  const fields = {
    External_Id__c: '<type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique>',
    Record_Id__c: '<type>Text</type><length>18</length>',
    Rating__c: '<type>Text</type><length>10</length>',
    Employees__c: '<type>Number</type><precision>8</precision><scale>0</scale>',
  };
  for (const [name, type] of Object.entries(fields)) {
    const field = `<fullName>${name}</fullName><label>${name}</label>${type}`;
    writeFileSync(join(object, 'fields', `${name}.field-meta.xml`), xml('CustomField', field));
  }
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
