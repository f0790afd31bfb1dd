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
  readonly orgs: number;
  readonly lastName: string;
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

process.on('message', ({ orgs, lastName }: Change) => {
  for (const { org } of [...emulators.values()].slice(0, orgs)) {
    org.write((transaction) => transaction.insert('Contact', { LastName: lastName }));
  }
  answer({});
});
process.on('disconnect', () => process.exit(0));
