import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Emulator, startEmulator } from '@tidemark/emulator';

const bin = fileURLToPath(new URL('../../tidemark/bin/tidemark.js', import.meta.url));
const run = promisify(execFile);

/** What somebody writes who copies contacts, keeps accounts equal, and takes orders that are pushed. */
const syncs = `
  contacts:
    notes: Everybody whom sales talks to
    from: { connection: org, object: Contact }
    to: { connection: db, table: contacts }
    where: Email != null
    fields: { id: Id, name: LastName, email: Email, upper: "= $uppercase(LastName)" }
    every: 1h
  accounts:
    between:
      - { connection: org, object: Account, link: App_Id__c }
      - { connection: db, table: customers, link: crm_id }
    fields: { name: Name, phone: Phone, city: BillingCity }
    conflicts: manual
    every: 1h
  orders:
    from: { connection: org, topic: /event/Order_Update__e }
    to: { connection: db, table: orders }
    journal: 7d
`;

const LINK =
  '<?xml version="1.0" encoding="UTF-8"?>\n<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>App_Id__c</fullName>' +
  '<label>App Id</label><type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique></CustomField>\n';

/** An org with failures and conflicts to come, and `tidemark start` beside it, as somebody runs it. */
export class DashboardWorld implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder: string;
  readonly url: string;
  /** Of an administrator. */
  readonly #token: string;
  readonly #child: ChildProcess;

  private constructor(parts: Pick<DashboardWorld, 'emulator' | 'folder' | 'url'> & { child: ChildProcess; token: string }) {
    this.emulator = parts.emulator;
    this.folder = parts.folder;
    this.url = parts.url;
    this.#child = parts.child;
    this.#token = parts.token;
  }

  static async open(): Promise<DashboardWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-dashboard-'));
    const fields = join(folder, 'source/main/default/objects/Account/fields');
    mkdirSync(fields, { recursive: true });
    writeFileSync(join(fields, 'App_Id__c.field-meta.xml'), LINK);
    const platformEvents = [{ name: 'Order_Update__e', fields: [{ name: 'Status__c', type: 'text', length: 20 }] }] as const;
    const emulator = await startEmulator({ source: join(folder, 'source'), records: 0, seed: 1, platformEvents });
    fill(emulator);
    writeFileSync(join(folder, 'tidemark.yaml'), configuration(emulator));
    using db = new DatabaseSync(join(folder, 'app.db'));
    db.exec(`CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT, city TEXT, crm_id TEXT UNIQUE)`);
    const { clientSecret: SECRET, refreshToken: TIDEMARK_REFRESH_TOKEN } = emulator.credentials;
    const TIDEMARK_KEY = randomBytes(32).toString('base64');
    const options = { cwd: folder, env: { ...process.env, SECRET, TIDEMARK_KEY, TIDEMARK_REFRESH_TOKEN } };
    await run(process.execPath, [bin, 'schema', 'apply'], options);
    await run(process.execPath, [bin, 'org', 'add', 'customers', 'initech'], options);
    const made = await run(process.execPath, [bin, 'token', 'add', 'who may all', '--role', 'admin', '--json'], options);
    const { token } = JSON.parse(made.stdout) as { token: string };
    const child = spawn(process.execPath, [bin, 'start', '--port', `${await freePort()}`], options);
    const killed = () => child.kill('SIGKILL');
    process.once('exit', killed);
    child.once('close', () => process.off('exit', killed));
    const url = await address(child);
    return new DashboardWorld({ emulator, folder, child, url, token });
  }

  /** The link that the first start shows to somebody who sits there. */
  get link(): string {
    return `${this.url}/#token=${this.#token}`;
  }

  /** One for somebody who may only look. */
  async readerLink(): Promise<string> {
    const response = await fetch(`${this.url}/api/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'who may read', role: 'read' }),
    });
    return `${this.url}/#token=${((await response.json()) as { token: string }).token}`;
  }

  /** The user's own database. */
  database<T>(work: (db: DatabaseSync) => T): T {
    using db = new DatabaseSync(join(this.folder, 'app.db'), { timeout: 5_000 });
    return work(db);
  }

  /** From now on the database refuses some contacts. */
  refuse(name: string): void {
    this.database((db) =>
      db.exec(`CREATE TRIGGER no_${name} BEFORE UPDATE ON contacts WHEN NEW.name = '${name}'
        BEGIN SELECT RAISE(ABORT, 'nobody is called ${name}'); END`),
    );
  }

  accept(name: string): void {
    this.database((db) => db.exec(`DROP TRIGGER no_${name}`));
  }

  change(object: 'Contact' | 'Account', where: string, values: Record<string, string>): string {
    const { org } = this.emulator;
    const [found] = org.query(`SELECT Id FROM ${object} WHERE ${where}`).page(0, 1, 'v62.0') as { Id: string }[];
    org.write((transaction) => transaction.update(object, found!.Id, values));
    return found!.Id;
  }

  /** Somebody in the org publishes an event. @returns its id */
  publish(fields: Record<string, string>): string {
    const { events, org } = this.emulator;
    const [outcome] = events.publish('/event/Order_Update__e', [{ fields }], org.adminUserId);
    return (outcome as { uuid: string }).uuid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGTERM');
    await ended;
    await this.emulator.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function fill({ org }: Emulator): void {
  for (const name of ['Lovelace', 'Turing', 'Hopper', 'Hamilton', 'Dijkstra']) {
    org.write((transaction) => transaction.insert('Contact', { LastName: name, Email: `${name.toLowerCase()}@example.com` }));
  }
  for (const [name, city] of [
    ['Acme', 'Berlin'],
    ['Globex', 'Lyon'],
  ] as const) {
    org.write((transaction) => transaction.insert('Account', { Name: name, BillingCity: city, Phone: '1' }));
  }
}

function configuration({ credentials }: Emulator): string {
  const { loginUrl, clientId, pubsubEndpoint } = credentials;
  return `connections:
  org:
    type: salesforce
    loginUrl: ${loginUrl}
    pubsubEndpoint: http://${pubsubEndpoint}
    auth: { flow: client-credentials, clientId: "${clientId}", clientSecret: "\${SECRET}" }
  customers: { type: salesforce, orgs: true, loginUrl: ${loginUrl}, auth: { flow: web-server, clientId: "${clientId}", clientSecret: "\${SECRET}" } }
  db: { type: sqlite, path: ./app.db }
syncs:${syncs}`;
}

/** One that is asked for stays the same when the process goes on by another configuration. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Where it answers, once it does. */
function address(child: ChildProcess): Promise<string> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (data) => {
      said += data;
      const found = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('close', () => reject(new Error(said)));
  });
}
