import type { Random } from '@tidemark/core';
import { type Emulator, SalesforceError, type Transaction } from '@tidemark/emulator';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import type { App, RowEdit } from './app.ts';
import { type Field, fields, orgFields, phoneMax, type Value, type Values } from './fields.ts';

/** Who write on both sides: the org's users, and the application with its own. */
export class People {
  readonly #emulator: Emulator;
  readonly #app: App;
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #random: Random;
  /** Names are few and come again: by them records are matched. */
  readonly #sameNames: boolean;
  /** Share of the app's phone numbers that the org does not take. */
  readonly #refused: number;
  /** Transactions that were begun, or could not be yet. */
  open = 0;
  #values = 0;
  readonly #ids: string[] = [];

  constructor(parts: {
    emulator: Emulator;
    app: App;
    scheduler: Scheduler;
    life: Life;
    random: Random;
    sameNames: boolean;
    refused: number;
  }) {
    this.#emulator = parts.emulator;
    this.#app = parts.app;
    this.#scheduler = parts.scheduler;
    this.#life = parts.life;
    this.#random = parts.random;
    this.#sameNames = parts.sameNames;
    this.#refused = parts.refused;
    parts.emulator.org.onCommit(({ changes }) => {
      for (const { object, kind, id } of changes) if (object === 'Account' && kind === 'create') this.#ids.push(id);
    });
  }

  /** A transaction in the org. @param heldMs  before it is committed: its records are locked, and get their stamps before */
  inOrg(heldMs = 0): void {
    const transaction = this.#emulator.org.begin();
    for (let n = this.#few(); n > 0; n--) {
      try {
        this.#changeOrg(transaction);
      } catch (error) {
        // A record that is gone, or locked.
        if (!(error instanceof SalesforceError)) throw error;
      }
    }
    const commit = () => {
      try {
        transaction.commit();
      } catch (error) {
        // Somebody has taken a unique value meanwhile: that of a record that it brings back, say.
        if (!(error instanceof SalesforceError)) throw error;
      }
    };
    if (heldMs === 0) commit();
    else this.#later('a transaction of the org is committed', heldMs, async () => commit());
  }

  /** A transaction in the app's database. While somebody else writes there, it comes later. */
  inApp(heldMs = 0): Promise<void> {
    return this.#transact(
      heldMs,
      Array.from({ length: this.#few() }, () => this.#editOfApp()),
    );
  }

  /** One record on both sides at about the same time: the same field or another one. */
  async onBoth(pairs: readonly (readonly [string, string])[]): Promise<void> {
    const pair = this.#one(pairs);
    if (pair === undefined) return;
    const [id, key] = pair;
    const here = this.#some(1);
    const there = this.#random() < 0.6 ? this.#some(1, Object.keys(here) as Field[]) : this.#some(1);
    const inOrg = async () =>
      this.#writeOrg((tx) => {
        if (this.#random() < 0.12) tx.delete('Account', id);
        else tx.update('Account', id, orgValues(here));
      });
    const inApp = () =>
      this.#transact(0, [this.#random() < 0.12 ? { kind: 'delete', key } : { kind: 'update', key, values: there }]);
    const [first, second] = this.#random() < 0.5 ? [inOrg, inApp] : [inApp, inOrg];
    await first();
    this.#later('the other edit', this.#random() * (this.#random() < 0.5 ? 100 : 5000), second);
  }

  /** Some records are known to belong together, as one of their sides has it: somebody kept both before us. */
  async introduce(ids: Iterable<string>, share: number): Promise<void> {
    const keys = this.#app.keys();
    for (const id of ids) {
      if (this.#random() >= share || keys.length === 0) continue;
      const [key] = keys.splice(Math.floor(this.#random() * keys.length), 1) as [string];
      if (this.#random() < 0.5) await this.#transact(0, [{ kind: 'link', key, id }]);
      else this.#emulator.org.write((tx) => tx.update('Account', id, { App_Id__c: key }));
    }
  }

  /** A pair of which one side was just written: somebody edits or deletes one of them, as long as nobody is in the way. */
  async meddle(id: string | null, key: string | null, among: readonly Field[]): Promise<void> {
    const dice = this.#random();
    if (key !== null && dice < 0.7) {
      const edit: RowEdit = dice < 0.3 ? { kind: 'delete', key } : { kind: 'update', key, values: this.#some(1, among) };
      if (await this.#app.begin([edit])) await this.#app.commit();
    } else if (id !== null) {
      this.#writeOrg((tx) => {
        if (dice < 0.8) tx.delete('Account', id);
        else tx.update('Account', id, orgValues(this.#some(1, among)));
      });
    }
  }

  /** One edit of one of these records in the org. */
  editOne(ids: readonly string[]): void {
    this.#writeOrg((tx) => tx.update('Account', this.#one(ids)!, orgValues(this.#some(1))));
  }

  /** One edit of one of these records in the app, unless it is busy. */
  async editOneInApp(): Promise<void> {
    const key = this.#one(this.#app.keys());
    if (key !== undefined && (await this.#app.begin([{ kind: 'update', key, values: this.#some(1) }]))) await this.#app.commit();
  }

  /** Whatever the org refuses gets a value that it takes. */
  async mend(): Promise<void> {
    const edits: RowEdit[] = [];
    for (const [key, { values }] of await this.#app.read()) {
      const phone = String(values.phone ?? '');
      const isRefused = phone.length > phoneMax || phone.startsWith('bad');
      if (isRefused) edits.push({ kind: 'update', key, values: { phone: this.#text() } });
    }
    await this.#transact(0, edits);
  }

  value(field: Field): Value {
    return field === 'revenue' ? ++this.#values : this.#text();
  }

  /** Unless the record is gone, or somebody has it locked. */
  #writeOrg(work: (transaction: Transaction) => void): void {
    try {
      this.#emulator.org.write(work);
    } catch (error) {
      if (!(error instanceof SalesforceError)) throw error;
    }
  }

  #changeOrg(transaction: Transaction): void {
    const random = this.#random;
    const id = this.#one(this.#ids);
    const dice = random();
    if (id === undefined || dice < 0.2) transaction.insert('Account', orgValues({ ...this.#some(2), name: this.#name() }));
    else if (dice < 0.3) transaction.delete('Account', id);
    else if (dice < 0.36) transaction.undelete('Account', this.#one(this.#ids)!);
    else if (dice < 0.38) {
      const loser = this.#one(this.#ids)!;
      if (loser !== id) transaction.merge('Account', id, [loser], orgValues(this.#some(1)));
    } else transaction.update('Account', id, orgValues(this.#some(1 + Math.floor(random() * 2))));
  }

  #editOfApp(): RowEdit {
    const random = this.#random;
    const key = this.#one(this.#app.keys());
    const dice = random();
    if (key === undefined || dice < 0.25) return { kind: 'insert', values: { ...this.#odd(this.#some(2)), name: this.#name() } };
    if (dice < 0.35) return { kind: 'delete', key };
    return { kind: 'update', key, values: this.#odd(this.#some(1 + Math.floor(random() * 2))) };
  }

  /** Values as an application may hold them: the org trims some, and refuses some. */
  #odd(values: Values): Values {
    const random = this.#random;
    const odd: Partial<Record<Field, Value>> = { ...values };
    for (const [field, value] of Object.entries(values) as [Field, Value][]) {
      if (typeof value !== 'string') continue;
      const dice = random();
      if (dice < 0.1) odd[field] = `  ${value} `;
      else if (dice < 0.13 && field !== 'name') odd[field] = '';
      else if (field === 'phone' && random() < this.#refused)
        odd.phone = random() < 0.5 ? `bad ${value}` : value.padEnd(phoneMax + 5, 'x');
    }
    return odd;
  }

  #some(count: number, among: readonly Field[] = fields): Values {
    const values: Partial<Record<Field, Value>> = {};
    for (let n = count; n > 0; n--) {
      const field = this.#one(among)!;
      if (field === 'name') values.name = this.#name();
      else values[field] = this.#random() < 0.12 ? null : this.value(field);
    }
    return values;
  }

  #name(): string {
    return this.#sameNames ? `n${Math.floor(this.#random() * 8)}` : this.#text();
  }

  /** Never the same twice, so that a value tells when it was written. */
  #text(): string {
    return `t${++this.#values}`;
  }

  #few(): number {
    return this.#random() < 0.7 ? 1 : 1 + Math.floor(this.#random() * 4);
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }

  async #transact(heldMs: number, edits: readonly RowEdit[]): Promise<void> {
    if (!(await this.#app.begin(edits)))
      this.#later('the app tries again', 20 + this.#random() * 200, () => this.#transact(heldMs, edits));
    else if (heldMs === 0) await this.#app.commit();
    else this.#later('a transaction of the app is committed', heldMs, () => this.#app.commit());
  }

  #later(what: string, ms: number, call: () => Promise<void>): void {
    this.open++;
    this.#scheduler.after(this.#life, what, ms, () => {
      this.open--;
      return call();
    });
  }
}

function orgValues(values: Values): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([field, value]) => [orgFields[field as Field], value]));
}
