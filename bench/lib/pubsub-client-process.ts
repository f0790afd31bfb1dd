import type { EmulatorCredentials } from '@tidemark/emulator';
import pg from 'pg';
import PubSubApiClient from 'salesforce-pubsub-api-client';
import { input, output } from './child.ts';
import { updatedFields } from './live-events.ts';

/** What a user writes today: the public client, and one upsert for each event, one after the other. */
const { url, credentials, after, events } = input<{
  url: string;
  credentials: EmulatorCredentials;
  after: number;
  events: number;
}>();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const database = new pg.Client({ connectionString: url });
await database.connect();
const { pubsubTlsEndpoint, loginUrl, clientId, clientSecret } = credentials;
const config = { authType: 'oauth-client-credentials', pubSubEndpoint: pubsubTlsEndpoint, loginUrl, clientId, clientSecret };
const client = new PubSubApiClient({ ...config, rejectUnauthorizedSsl: false } as never, quiet as never);
await client.connect();

interface Told {
  readonly payload: {
    readonly ChangeEventHeader: { recordIds: string[]; changedFields: string[] };
    readonly [field: string]: unknown;
  };
}
let last: Promise<unknown> = Promise.resolve();
let received = 0;
const startedAtMs = performance.now();
await new Promise<void>((resolve, reject) => {
  const hear = (_info: unknown, kind: string, data: unknown) => {
    if (kind === 'error') reject(data);
    if (kind !== 'event') return;
    last = last.then(() => upsert((data as Told).payload)).catch(reject);
    if (++received === events) last.then(() => resolve());
  };
  client.subscribeFromReplayId('/data/ContactChangeEvent', hear as never, null as never, after);
});
output({ wallMs: performance.now() - startedAtMs });
await database.end();
process.exit(0);

async function upsert(payload: Told['payload']): Promise<void> {
  const { recordIds, changedFields } = payload.ChangeEventHeader;
  const names = updatedFields.filter((name) => changedFields.includes(name));
  const columns = names.map((name) => name.toLowerCase());
  await database.query(
    `INSERT INTO client_contact (id, ${columns.join(', ')}) VALUES ($1, ${columns.map((_, i) => `$${i + 2}`).join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`,
    [recordIds[0], ...names.map((name) => payload[name])],
  );
}
