import { seededRandom } from '@tidemark/core';
import { startEmulator } from '@tidemark/emulator';
import {
  type ChangingOrgInput,
  type ChangingOrgQuestion,
  type CopiedRow,
  copied,
  type Together,
  type Truth,
  theEnd,
} from './changing-org.ts';
import { input } from './child.ts';
import { answer } from './spoken-child.ts';

/** An org whose accounts and contacts change all the time, from when it is told to begin until it is told to end. */
const given = input<ChangingOrgInput>();
const random = seededRandom(given.seed);
await using emulator = await startEmulator({
  changeEvents: ['Account', 'Contact'],
  limits: { DailyApiRequests: 10_000_000, DailyDeliveredPlatformEvents: 100_000_000 },
}).then((started) => Object.assign(started, { [Symbol.asyncDispose]: () => started.close() }));
const { org } = emulator;
type Transaction = Parameters<Parameters<typeof org.write>[0]>[0];

const accounts: string[] = [];
const contacts: string[] = [];
const deleted: string[] = [];
let changes = 0;
let transactions = 0;

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

function take<T>(from: T[]): T {
  const [taken] = from.splice(Math.floor(random() * from.length), 1);
  return taken!;
}

const insertAccount = (t: Transaction) => t.insert('Account', { Name: `account ${changes}`, Site: '0' }).id;
const insertContact = (t: Transaction) =>
  t.insert('Contact', { LastName: `contact ${changes}`, Title: '0', AccountId: pick(accounts) }).id;

const together: Together = org.write((t) => {
  const account = insertAccount(t);
  accounts.push(account);
  return { account, contacts: Array.from({ length: 3 }, () => insertContact(t)) };
});
accounts.length = 0;
for (let n = 0; n < given.accounts; n++) accounts.push(org.write(insertAccount));
for (let n = 0; n < given.contacts; n++) contacts.push(org.write(insertContact));

/** What one transaction does. Records that it makes or removes are handed back, for it may be refused as a whole. */
function change(t: Transaction): () => void {
  const kind = random();
  const done: (() => void)[] = [];
  const times = 1 + Math.floor(random() * 5);
  if (kind < 0.1) {
    const value = String(transactions);
    t.update('Account', together.account, { Site: value });
    for (const id of together.contacts) t.update('Contact', id, { Title: value });
    changes += 4;
  } else if (kind < 0.7) {
    const among = new Set(Array.from({ length: times }, () => pick(contacts)));
    for (const id of among)
      t.update('Contact', id, random() < 0.5 ? { FirstName: someText() } : { Phone: someText(), AccountId: pick(accounts) });
    if (random() < 0.5) t.update('Account', pick(accounts), { Phone: someText() });
    changes += among.size;
  } else if (kind < 0.84) {
    for (let n = 0; n < times; n++) {
      const id = insertContact(t);
      done.push(() => contacts.push(id));
      changes++;
    }
    if (random() < 0.2) {
      const id = insertAccount(t);
      done.push(() => accounts.push(id));
      changes++;
    }
  } else if (kind < 0.97 && contacts.length > given.contacts / 2) {
    for (let n = 0; n < times; n++) {
      const id = take(contacts);
      done.push(() => deleted.push(id));
      t.delete('Contact', id);
      changes++;
    }
  } else if (kind < 0.98 && accounts.length > given.accounts / 2) {
    // Its contacts go with it, in the same transaction.
    t.delete('Account', take(accounts));
    changes++;
  } else if (deleted.length > 0) {
    const id = take(deleted);
    t.undelete('Contact', id);
    done.push(() => contacts.push(id));
    changes++;
  }
  return () => {
    for (const each of done) each();
  };
}

const someText = () => (random() < 0.1 ? null : `text ${Math.floor(random() * 1e9)}`);

function changeOnce(): void {
  try {
    org.write(change)();
    transactions++;
  } catch (error) {
    // A contact that went with its account cannot be changed any more.
    if (!/deleted|not found|not exist/i.test(String((error as Error).message))) throw error;
    for (let i = contacts.length - 1; i >= 0; i--) if (!isThere(contacts[i]!)) contacts.splice(i, 1);
  }
}

const isThere = (id: string) => org.query(`SELECT Id FROM Contact WHERE Id = '${id}'`).totalSize > 0;

function rowsOf(object: string, fields: Readonly<Record<string, string>>): CopiedRow[] {
  const found = org.query(`SELECT ${Object.values(fields).join(', ')} FROM ${object} ORDER BY Id`);
  const rows: CopiedRow[] = [];
  for (let offset = 0; offset < found.totalSize; offset += 2000) {
    for (const row of found.page(offset, 2000, 'v62.0') as Record<string, string | null>[]) {
      rows.push(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, row[field] ?? null])));
    }
  }
  return rows;
}

let changing: NodeJS.Timeout | null = null;
answer({ ...emulator.credentials, together });
process.on('message', ({ kind }: ChangingOrgQuestion) => {
  if (kind === 'begin') {
    const [beganAtMs, before] = [performance.now(), changes];
    changing = setInterval(() => {
      while (changes - before < ((performance.now() - beganAtMs) * given.perSecond) / 1000) changeOnce();
    }, 5);
    answer({});
    return;
  }
  if (changing !== null) clearInterval(changing);
  org.write((t) => t.update('Account', together.account, { Phone: theEnd }));
  answer({
    changes,
    transactions,
    accounts: rowsOf('Account', copied.accounts),
    contacts: rowsOf('Contact', copied.contacts),
  } satisfies Truth);
});
await new Promise((resolve) => process.on('disconnect', resolve));
