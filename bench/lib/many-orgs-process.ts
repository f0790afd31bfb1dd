import { seededRandom } from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { input } from './child.ts';
import { startPubSubFront } from './pubsub-front.ts';
import { answer } from './spoken-child.ts';

/** Orgs of so many customers, all in this process. */
export interface ManyOrgsInput {
  readonly orgs: number;
  readonly records: number;
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface ManyOrgsReady {
  readonly pubsubEndpoint: string;
  readonly orgs: readonly { readonly orgId: string; readonly url: string; readonly credential: string }[];
}

/** Has a contact inserted in so many orgs, and answers when that is done. */
export interface Change {
  readonly kind: 'insert';
  readonly orgs: number;
  readonly lastName: string;
}

/** Has so many contacts of any orgs made, changed or deleted, and answers when that is done. */
export interface Writes {
  readonly kind: 'write';
  readonly writes: number;
}

/** Answers `Truth`. */
export interface TruthQuestion {
  readonly kind: 'truth';
}

export interface Truth {
  /** Of each org, in the order of `ManyOrgsReady.orgs`: last names of its contacts by id. */
  readonly contacts: readonly Readonly<Record<string, string>>[];
}

const given = input<ManyOrgsInput>();
const emulators = new Map<string, Emulator>();
for (let seed = 1; emulators.size < given.orgs; seed++) {
  const emulator = await startEmulator({
    seed,
    fill: { Contact: given.records },
    changeEvents: ['Contact'],
    credentials: { clientId: given.clientId, clientSecret: given.clientSecret },
  });
  // Ids follow from seeds, and two may have the same.
  if (emulators.has(emulator.org.id)) await emulator.close();
  else emulators.set(emulator.org.id, emulator);
}
const front = await startPubSubFront(new Map([...emulators].map(([id, { pubsub }]) => [id, pubsub!.endpoint])));
answer({
  pubsubEndpoint: front.endpoint,
  orgs: [...emulators].map(([orgId, { credentials }]) => ({
    orgId,
    url: credentials.instanceUrl,
    credential: credentials.refreshToken,
  })),
} satisfies ManyOrgsReady);

const random = seededRandom(1);
const all = [...emulators.values()];
let written = 0;
process.on('message', (question: Change | Writes | TruthQuestion) => {
  if (question.kind === 'truth') return answer({ contacts: all.map(contactsOf) } satisfies Truth);
  if (question.kind === 'insert') {
    for (const { org } of all.slice(0, question.orgs)) {
      org.write((transaction) => transaction.insert('Contact', { LastName: question.lastName }));
    }
  } else for (let i = 0; i < question.writes; i++) writeSomewhere(all[Math.floor(random() * all.length)]!);
  answer({});
});
process.on('disconnect', () => process.exit(0));

/** More is made than deleted, and most is changed. */
function writeSomewhere(emulator: Emulator): void {
  const ids = Object.keys(contactsOf(emulator));
  const id = ids[Math.floor(random() * ids.length)];
  const what = random();
  emulator.org.write((transaction) => {
    const LastName = `written ${++written}`;
    if (id === undefined || what < 0.2) transaction.insert('Contact', { LastName });
    else if (what < 0.3) transaction.delete('Contact', id);
    else transaction.update('Contact', id, { LastName });
  });
}

function contactsOf({ org }: Emulator): Record<string, string> {
  const found = org.query('SELECT Id, LastName FROM Contact');
  const rows = found.page(0, found.totalSize, 'v62.0') as { Id: string; LastName: string }[];
  return Object.fromEntries(rows.map(({ Id, LastName }) => [Id, LastName]));
}
