import { type Emulator, startEmulator } from '../src/index.ts';
import { field } from '../src/schema/fields.ts';
import type { FieldDescribe } from '../src/schema/types.ts';
import type { Recording } from './recording.ts';

/** An emulator with the custom fields that recordings tell of, and a client for it. */
export interface RecordedOrg {
  readonly emulator: Emulator;
  request(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: replies have every shape
  readonly json: any;
}

/** The orgs that describes, records and Bulk jobs were recorded in, in one. */
export async function startRecordedOrg(recording: Recording): Promise<RecordedOrg> {
  const emulator = await startEmulator({
    listen: false,
    changeEvents: ['Account', 'Contact', 'Lead', 'User'],
    ingest: { pace: 'poll' },
  });
  const { schema } = emulator.org;
  for (const name of ['Account', 'Contact', 'Lead', 'Campaign']) {
    const described: FieldDescribe[] = recording.json(`describe/${name}.v42.json`).fields;
    const custom = described.filter((each) => each.custom && schema.field(name, each.name) === undefined);
    const fields = custom.map((each) => ({ ...field(each.name, each.label, each.type).describe, ...each }));
    if (fields.length > 0) schema.add({ ...schema.object(name)!, fields });
  }
  const key = field('external_id__c', 'External id', 'string', { custom: true, length: 40, externalId: true, unique: true });
  schema.add({ ...schema.object('Opportunity')!, fields: [key.describe] });
  return {
    emulator,
    async request(method, path, body, headers = {}) {
      const isText = typeof body === 'string';
      const reply = await emulator.fetch(emulator.url + path, {
        method,
        headers: {
          authorization: `Bearer ${emulator.credentials.accessToken}`,
          ...(body === undefined ? {} : { 'content-type': isText ? 'text/csv' : 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await reply.text();
      return { status: reply.status, headers: reply.headers, json: text === '' ? null : JSON.parse(text) };
    },
  };
}
