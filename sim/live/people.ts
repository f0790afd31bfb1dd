import type { Random } from '@tidemark/core';
import { type Emulator, SalesforceError } from '@tidemark/emulator';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import { type Mapped, writable } from './mapping.ts';
import type { Plan } from './plan.ts';

type Transaction = ReturnType<Emulator['org']['begin']>;

/** Salesforce's users: they write to the org, in transactions of one or several records. */
export class People {
  readonly #emulator: Emulator;
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #random: Random;
  readonly #ids: Readonly<Record<Mapped['object'], string[]>> = { Account: [], Contact: [] };
  readonly #picked = new Map<Mapped['object'], string>();
  /** Transactions that were begun and are not committed yet. */
  open = 0;
  #texts = 0;
  readonly #undeletes: boolean;
  readonly #longTexts: boolean;

  /** They take nothing out of the recycle bin where a reader is promised that nothing is ahead of its turn. */
  constructor(emulator: Emulator, scheduler: Scheduler, life: Life, random: Random, plan: Pick<Plan, 'strict' | 'longTexts'>) {
    this.#undeletes = !plan.strict;
    this.#longTexts = plan.longTexts;
    this.#emulator = emulator;
    this.#scheduler = scheduler;
    this.#life = life;
    this.#random = random;
  }

  /** One transaction of a few records, begun and committed at once. */
  write(): void {
    this.#transact(1 + Math.floor(this.#random() * (this.#random() < 0.8 ? 4 : 15)));
  }

  /** More records than a stream has under way at most. */
  writeLarge(): void {
    this.#transact(105 + Math.floor(this.#random() * 60), 0.7);
  }

  /** A transaction that is committed long after its records got their stamps. */
  writeLate(): void {
    const transaction = this.#emulator.org.begin();
    this.#change(transaction, 1 + Math.floor(this.#random() * 4), 0.3);
    this.open++;
    this.#scheduler.after(this.#life, 'late commit', 100 + this.#random() * (this.#random() < 0.5 ? 5_000 : 600_000), () => {
      transaction.commit();
      this.open--;
      return undefined;
    });
  }

  /** Somebody is deleted, taken out of the bin, which `untold` keeps from being told, and changed. */
  revive(untold: (undelete: () => void) => void): void {
    const id = this.#pick('Contact');
    if (id === undefined) return;
    const { org } = this.#emulator;
    const inOne = (change: (transaction: Transaction) => void) => {
      const transaction = org.begin();
      change(transaction);
      transaction.commit();
    };
    try {
      inOne((transaction) => transaction.delete('Contact', id));
      untold(() => inOne((transaction) => transaction.undelete('Contact', id)));
      inOne((transaction) => transaction.update('Contact', id, { LastName: this.#text(), Phone: this.#text() }));
    } catch (error) {
      // Gone, or locked by somebody else.
      if (!(error instanceof SalesforceError)) throw error;
    }
  }

  /** Gives every record another value in one field, as if it had always had it. */
  convert(object: Mapped['object']): void {
    const values = this.#ids[object].map((id) => [id, this.#text()] as const);
    this.#emulator.org.calculations.fill(object, 'Phone', values);
  }

  /** The one that was picked last more often than others: who has changed something changes it again. */
  #pick(object: Mapped['object']): string | undefined {
    const ids = this.#ids[object];
    const last = this.#picked.get(object);
    const id = last !== undefined && this.#random() < 0.3 ? last : ids[Math.floor(this.#random() * ids.length)];
    if (id !== undefined) this.#picked.set(object, id);
    return id;
  }

  #transact(records: number, inserts = 0.25): void {
    const transaction = this.#emulator.org.begin();
    this.#change(transaction, records, inserts);
    transaction.commit();
  }

  #change(transaction: Transaction, records: number, inserts: number): void {
    // Names of what is made are known before it is sure that it will be there: who picks them in between is refused.
    for (let i = 0; i < records; i++) {
      const object = this.#random() < 0.5 ? 'Account' : 'Contact';
      try {
        this.#changeOne(transaction, object, inserts);
      } catch (error) {
        // A record that is deleted, or locked by somebody else.
        if (!(error instanceof SalesforceError)) throw error;
      }
    }
  }

  #changeOne(transaction: Transaction, object: Mapped['object'], inserts: number): void {
    const random = this.#random;
    const id = this.#pick(object);
    const dice = random();
    if (id === undefined || dice < inserts) {
      this.#ids[object].push(transaction.insert(object, this.#newValues(object)).id);
    } else if (dice < inserts + 0.08) transaction.delete(object, id);
    else if (dice < inserts + 0.14 && this.#undeletes) transaction.undelete(object, id);
    else if (dice < inserts + 0.17) {
      const loser = this.#pick(object);
      if (loser !== undefined && loser !== id) transaction.merge(object, id, [loser], this.#someValues(object));
    } else transaction.update(object, id, this.#someValues(object));
  }

  #newValues(object: Mapped['object']): Record<string, string | null> {
    const name = object === 'Account' ? { Name: this.#text() } : { LastName: this.#text(), ...this.#parent(0.5) };
    return { ...this.#someValues(object), ...name };
  }

  /** One to three fields. */
  #someValues(object: Mapped['object']): Record<string, string | null> {
    const random = this.#random;
    const fields = writable[object];
    const values: Record<string, string | null> = {};
    for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
      const field = fields[Math.floor(random() * fields.length)]!;
      values[field] = field === fields[0] || random() < 0.8 ? this.#textOf(field) : null;
    }
    return object === 'Contact' ? { ...values, ...this.#parent(0.2) } : values;
  }

  #parent(chance: number): { AccountId?: string | null } {
    if (this.#random() >= chance) return {};
    return { AccountId: this.#random() < 0.2 ? null : (this.#pick('Account') ?? null) };
  }

  #textOf(field: string): string {
    return this.#longTexts && field === 'Description' && this.#random() < 0.7 ? this.#longText() : this.#text();
  }

  /** Of two such texts the second is told by the lines that differ. */
  #longText(): string {
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i} of a text that is as long as others`);
    lines[Math.floor(this.#random() * lines.length)] = this.#text();
    return lines.join('\n');
  }

  /** Never the same twice, so that a value tells when it was written. */
  #text(): string {
    return `t${++this.#texts}`;
  }
}
