import { expect } from 'vitest';
import type { Emulator } from '../src/http/start-emulator.ts';
import { type Answer, startTestOrg } from '../src/http/testing.ts';
import { line, thing } from '../src/org/testing.ts';
import type { Transaction, Values } from '../src/org/types.ts';
import { type Draft, type ObjectName, type Operation, objects, type UserName } from './operations.ts';

const data = '/services/data/v62.0';
/** Of no record that any run makes. */
const noId: Record<ObjectName, string> = {
  Account: '001000000000009AAA',
  Contact: '003000000000009AAA',
  Thing__c: 'a00000000000009AAA',
  Line__c: 'a01000000000009AAA',
};
const externalId: Record<ObjectName, string> = { Account: 'Unique__c', Contact: 'Id', Thing__c: 'Ext__c', Line__c: 'Id' };

type SingleOperation = Extract<Operation, { draft: Draft; user: UserName }>;

/** What became of the operations of a run: so that a test can see whether it met what it is for. */
export type Tally = Map<string, number>;

/** An emulator without a socket, its users, and a hand that carries out operations. */
export class OrgWorld {
  readonly emulator: Emulator;
  private readonly tokens = new Map<UserName, string>();
  private readonly open: Transaction[] = [];
  private readonly tally: Tally;

  private constructor(emulator: Emulator, tally: Tally) {
    this.emulator = emulator;
    this.tally = tally;
    this.tokens.set('admin', emulator.credentials.accessToken);
    for (const [i, name] of (['standard', 'reader', 'api'] as const).entries()) {
      this.tokens.set(name, emulator.userCredentials[i]!.accessToken);
    }
  }

  static async start(tally: Tally, requestsMax: number): Promise<OrgWorld> {
    const { emulator } = await startTestOrg({
      listen: false,
      ingest: { pace: 'immediate' },
      limits: { DailyApiRequests: requestsMax },
      users: [
        { username: 'standard@example.com' },
        { username: 'reader@example.com', profile: 'Read Only' },
        { username: 'api@example.com', profile: 'Minimum Access - API Only Integrations' },
      ],
    });
    emulator.org.schema.add(thing.object, thing.links);
    emulator.org.schema.add(line.object, line.links);
    emulator.events.selectForChangeEvents(objects);
    const { validationRules, triggers, flows, rollUps } = emulator.automation;
    validationRules.define({ object: 'Thing__c', name: 'Refuse', message: 'refused', errorWhere: "Text__c = 'refused'" });
    flows.define({
      name: 'Note the city',
      object: 'Account',
      on: ['create', 'update'],
      where: "BillingCity = 'a'",
      actions: [{ set: { Industry: 'Energy' } }],
    });
    // Every new contact moves its account along, in the same transaction.
    triggers.define({
      name: 'Touch the account',
      object: 'Contact',
      on: ['after insert'],
      run({ records, transaction }) {
        for (const { values } of records) {
          const account = values.AccountId;
          if (typeof account === 'string') transaction.update('Account', account, { Site: 'has contacts' });
        }
      },
    });
    rollUps.define({ object: 'Thing__c', field: 'Lines__c', child: 'Line__c', reference: 'Moving__c', operation: 'count' });
    return new OrgWorld(emulator, tally);
  }

  /** Ids in the order in which they were made, deleted ones too. */
  ids(object: ObjectName): string[] {
    const found = this.emulator.org.query(`SELECT Id FROM ${object} ORDER BY Id`, { all: true });
    return (found.page(0, 10_000, 'v62.0') as { Id: string }[]).map(({ Id }) => Id);
  }

  private pick(object: ObjectName, pick: number): string {
    const ids = this.ids(object);
    return pick < 0 || ids.length === 0 ? noId[object] : ids[pick % ids.length]!;
  }

  private values(object: ObjectName, { values, links }: Draft, isNew: boolean): Values {
    const described = this.emulator.org.schema.object(object)!;
    const linked = Object.entries(links).flatMap(([field, pick]): [string, string | null][] => {
      const to = described.fields.find(({ name }) => name === field)!;
      // What never changes parents is not told of any.
      if (!isNew && !to.updateable) return [];
      return [[field, pick < 0 && to.nillable ? null : this.pick(to.referenceTo[0] as ObjectName, pick)]];
    });
    const required: Values = !isNew ? {} : object === 'Contact' ? { LastName: 'Kent' } : { Name: 'x' };
    return { ...required, ...values, ...Object.fromEntries(linked) };
  }

  private count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  private firedFaults(): number {
    return this.emulator.faults.list().reduce((sum, { fired }) => sum + fired, 0);
  }

  /** A request of one user. Undefined: a fault broke the connection, or the reply. */
  private async ask(
    user: UserName,
    method: string,
    path: string,
    body?: unknown,
    type = 'application/json',
  ): Promise<Answer | undefined> {
    const before = this.firedFaults();
    const broken = (cause: unknown): undefined => {
      if (this.firedFaults() === before) throw new Error(`${method} ${path} broke without a fault`, { cause });
      this.count('broken');
    };
    let status: number;
    let text: string;
    let headers: Headers;
    try {
      const reply = await this.emulator.fetch(`${this.emulator.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.tokens.get(user)}`, 'content-type': type },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      ({ status, headers } = reply);
      text = await reply.text();
    } catch (error) {
      return broken(error);
    }
    if (this.firedFaults() === before) expect(serverErrors(status, text), `${method} ${path}: ${status} ${text}`).toEqual([]);
    this.count(`${status < 300 ? 'done' : status === 401 ? 'signed out' : status < 500 ? 'refused' : 'failed'}`);
    // Two hours without a request end a session, and so do some faults; the next request is made with another.
    if (status === 401) {
      const { userId } = this.emulator.userCredentials.find(({ username }) => username.startsWith(user)) ?? {
        userId: this.emulator.org.adminUserId,
      };
      this.tokens.set(user, this.emulator.sessions.start(userId).token);
    }
    let json: unknown;
    try {
      json = text === '' || !headers.get('content-type')?.includes('json') ? undefined : JSON.parse(text);
    } catch (error) {
      return broken(error);
    }
    return { status, headers, text, json };
  }

  private async backdoor(path: string, body: unknown): Promise<void> {
    const reply = await this.emulator.fetch(this.emulator.credentials.backdoorUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await reply.text();
    expect(reply.status, text).toBeLessThan(500);
    this.count(reply.status < 300 ? 'done by backdoor' : 'refused by backdoor');
  }

  async run(operation: Operation): Promise<void> {
    switch (operation.do) {
      case 'create':
      case 'update':
      case 'upsert':
      case 'delete':
      case 'retrieve':
        return this.runSingle(operation);
      case 'collection':
        return this.runCollection(operation);
      case 'composite':
      case 'graph':
        return this.runComposite(operation);
      case 'batch': {
        const urls = operation.picks.map((pick) => `v62.0/sobjects/Account/${this.pick('Account', pick)}`);
        const batchRequests = urls.map((url, i) =>
          i === 0 ? { method: 'DELETE', url } : { method: 'PATCH', url, richInput: { Phone: `${i}` } },
        );
        await this.ask(operation.user, 'POST', `${data}/composite/batch`, { batchRequests, haltOnError: operation.haltOnError });
        return;
      }
      case 'tree': {
        const records = operation.drafts.map((draft, i) => ({
          attributes: { type: 'Account', referenceId: `a${i}` },
          ...this.values('Account', draft, true),
          Contacts: {
            records: [
              {
                attributes: { type: 'Contact', referenceId: `c${i}` },
                ...(operation.spoil && i > 0 ? {} : { LastName: 'Tree' }),
              },
            ],
          },
        }));
        await this.ask(operation.user, 'POST', `${data}/composite/tree/Account`, { records });
        return;
      }
      case 'ingest':
        return this.runIngest(operation);
      case 'merge':
        return this.backdoor('/records', {
          writes: [
            {
              kind: 'merge',
              object: operation.object,
              id: this.pick(operation.object, operation.pick),
              ids: [this.pick(operation.object, operation.other)],
            },
          ],
        });
      case 'undelete':
        return this.backdoor('/records', {
          writes: [{ kind: 'undelete', object: operation.object, id: this.pick(operation.object, operation.pick) }],
        });
      case 'purge':
        return this.backdoor('/records', {
          writes: [{ kind: 'purge', object: operation.object, ids: [this.pick(operation.object, operation.pick)] }],
        });
      case 'random':
        return this.backdoor('/changes', {
          object: operation.object,
          records: 3,
          seed: operation.other + 2,
          kind: operation.pick % 3 === 0 ? 'delete' : 'update',
        });
      case 'open':
        if (this.open.length < 3) this.open.push(this.emulator.org.begin());
        return;
      case 'write open':
        return this.attempt('open', () => {
          const transaction = this.open[operation.at];
          if (!transaction) return;
          const { kind, object, pick, draft } = operation;
          if (kind === 'insert') transaction.insert(object, this.values(object, draft, true));
          else if (kind === 'update') transaction.update(object, this.pick(object, pick), this.values(object, draft, false));
          else transaction[kind](object, this.pick(object, pick));
        });
      case 'commit':
        return this.attempt('open', () => this.open.splice(operation.at, 1)[0]?.commit());
      case 'roll back':
        this.open.splice(operation.at, 1)[0]?.rollback();
        return;
      case 'read':
        return this.runRead(operation);
      case 'permit': {
        const { userId } = this.emulator.userCredentials.find(({ username }) => username.startsWith(operation.user))!;
        this.emulator.users.permit(userId, operation.permissions);
        return;
      }
      case 'clock':
        this.emulator.org.clock.advance(operation.ms);
        return;
      case 'fault':
        this.emulator.faults.add(operation.fault);
    }
  }

  private attempt(what: string, work: () => void): void {
    try {
      work();
      this.count(`done ${what}`);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'SalesforceError') throw error;
      this.count(`refused ${what}`);
    }
  }

  private async runSingle({ do: kind, user, object, pick, draft }: SingleOperation): Promise<void> {
    const url = `${data}/sobjects/${object}`;
    if (kind === 'create') await this.ask(user, 'POST', url, this.values(object, draft, true));
    else if (kind === 'upsert') {
      const { [externalId[object]]: key, ...values } = this.values(object, draft, true);
      const at = externalId[object] === 'Id' ? this.pick(object, pick) : (key ?? 'k1');
      await this.ask(user, 'PATCH', `${url}/${externalId[object]}/${at}`, values);
    } else if (kind === 'update')
      await this.ask(user, 'PATCH', `${url}/${this.pick(object, pick)}`, this.values(object, draft, false));
    else await this.ask(user, kind === 'delete' ? 'DELETE' : 'GET', `${url}/${this.pick(object, pick)}`);
  }

  private async runCollection({ user, kind, object, allOrNone, rows }: Extract<Operation, { do: 'collection' }>): Promise<void> {
    const url = `${data}/composite/sobjects`;
    const ids = rows.map(({ pick }) => this.pick(object, pick)).join(',');
    if (kind === 'delete') {
      await this.ask(user, 'DELETE', `${url}?ids=${ids}&allOrNone=${allOrNone}`);
      return;
    }
    if (kind === 'retrieve') {
      await this.ask(user, 'GET', `${url}/${object}?ids=${ids}&fields=Id`);
      return;
    }
    const records = rows.map(({ pick, draft }) => ({
      attributes: { type: object },
      ...this.values(object, draft, kind !== 'update'),
      ...(kind === 'update' || (kind === 'upsert' && externalId[object] === 'Id') ? { Id: this.pick(object, pick) } : {}),
    }));
    const upsert = `${url}/${object}/${externalId[object]}`;
    await this.ask(user, kind === 'create' ? 'POST' : 'PATCH', kind === 'upsert' ? upsert : url, { allOrNone, records });
  }

  /** Accounts, each with a contact and a thing that name it by reference, one of them changed on the way. */
  private async runComposite({
    do: kind,
    user,
    allOrNone,
    drafts,
    pick,
    spoil,
  }: Extract<Operation, { do: 'composite' | 'graph' }>): Promise<void> {
    const groups = drafts.map((draft, i) => [
      { method: 'POST', url: `${data}/sobjects/Account`, referenceId: `a${i}`, body: this.values('Account', draft, true) },
      {
        method: 'POST',
        url: `${data}/sobjects/Contact`,
        referenceId: `c${i}`,
        body: spoil && i > 0 ? {} : { LastName: 'Composite', AccountId: `@{a${i}.id}` },
      },
      { method: 'POST', url: `${data}/sobjects/Thing__c`, referenceId: `t${i}`, body: { Name: 't', Account__c: `@{a${i}.id}` } },
      {
        method: 'PATCH',
        url: `${data}/sobjects/Account/${this.pick('Account', pick)}`,
        referenceId: `p${i}`,
        body: { ParentId: `@{a${i}.id}` },
      },
      { method: 'DELETE', url: `${data}/sobjects/Contact/@{c${i}.id}`, referenceId: `d${i}` },
    ]);
    if (kind === 'composite') await this.ask(user, 'POST', `${data}/composite`, { allOrNone, compositeRequest: groups.flat() });
    else {
      const graphs = groups.map((compositeRequest, i) => ({ graphId: `g${i}`, compositeRequest }));
      await this.ask(user, 'POST', `${data}/composite/graph`, { graphs });
    }
  }

  private async runIngest({ user, kind, object, rows, abort }: Extract<Operation, { do: 'ingest' }>): Promise<void> {
    const byId =
      kind === 'update' || kind === 'delete' || kind === 'hardDelete' || (kind === 'upsert' && externalId[object] === 'Id');
    const records = rows.map(({ pick, draft }) => ({
      ...(byId ? { Id: this.pick(object, pick) } : {}),
      ...(kind === 'delete' || kind === 'hardDelete' ? {} : this.values(object, draft, kind === 'insert' || kind === 'upsert')),
    })) as Values[];
    const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
    const cell = (value: unknown) =>
      value === undefined ? '' : value === null ? '#N/A' : `"${String(value).replaceAll('"', '""')}"`;
    const csv = [columns, ...records.map((record) => columns.map((column) => cell(record[column])))]
      .map((cells) => `${cells.join(',')}\n`)
      .join('');
    const made = await this.ask(user, 'POST', `${data}/jobs/ingest`, {
      object,
      operation: kind,
      contentType: 'CSV',
      ...(kind === 'upsert' ? { externalIdFieldName: externalId[object] } : {}),
    });
    // A reply can be cut before its first byte; the job is then nobody's.
    if (made?.status !== 200 || made.json === undefined) return;
    const job = `${data}/jobs/ingest/${made.json.id}`;
    await this.ask(user, 'PUT', `${job}/batches`, csv, 'text/csv');
    await this.ask(user, 'PATCH', job, { state: abort ? 'Aborted' : 'UploadComplete' });
    // Asking is what makes the work go on.
    const state = await this.ask(user, 'GET', job);
    if (state?.status === 200) this.count(`job ${state.json?.state}`);
    for (const which of ['successfulResults', 'failedResults', 'unprocessedrecords'])
      await this.ask(user, 'GET', `${job}/${which}`);
  }

  private async runRead({ user, what, object }: Extract<Operation, { do: 'read' }>): Promise<void> {
    const soql = (text: string) => encodeURIComponent(text);
    const paths = [
      `query?q=${soql(`SELECT FIELDS(ALL) FROM ${object} LIMIT 200`)}`,
      `queryAll?q=${soql(`SELECT Id, IsDeleted, SystemModstamp FROM ${object} ORDER BY SystemModstamp, Id`)}`,
      `query?q=${soql('SELECT Id, Parent.Name, (SELECT Id, ReportsTo.LastName FROM Contacts) FROM Account')}`,
      `query?q=${soql('SELECT Id, Fixed__r.Account__r.Name FROM Line__c')}`,
      `sobjects/${object}/describe`,
      `sobjects/${object}/updated?start=2026-03-04T04:00:00Z&end=2026-03-08T05:00:00Z`,
      `sobjects/${object}/deleted?start=2026-03-04T04:00:00Z&end=2026-03-08T05:00:00Z`,
      'limits',
    ];
    await this.ask(user, 'GET', `${data}/${paths[what]}`);
  }

  /** Ends what is still open: from here on nobody holds a record. */
  settle(): void {
    this.emulator.faults.clear();
    for (const transaction of this.open.splice(0)) transaction.rollback();
  }
}

/** The reply's own status, and those of the replies within it. */
function serverErrors(status: number, text: string): number[] {
  const within = [...text.matchAll(/"(?:httpStatusCode|statusCode)":(\d+)/g)].map(([, code]) => Number(code));
  return [status, ...within].filter((code) => code >= 500).concat(/UNKNOWN_EXCEPTION/.test(text) ? [500] : []);
}
