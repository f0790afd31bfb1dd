import jsforce from 'jsforce';
import { type Document, MongoClient } from 'mongodb';
import { input, output } from './child.ts';
import { soql } from './contact.ts';

export interface InsertManyInput {
  readonly url: string;
  readonly instanceUrl: string;
  readonly accessToken: string;
}

/**
 * The limit: the driver's own `insertMany` of documents that lie ready in memory, a thousand at a time, and then the index of the
 * lookup, as Tidemark makes it too. Reading the org is not counted.
 */
const { url, instanceUrl, accessToken } = input<InsertManyInput>();
const DOCUMENTS = 1000;
const org = new jsforce.Connection({ instanceUrl, accessToken, version: '62.0' });
const { records } = await org.query<Record<string, unknown>>(soql, { autoFetch: true, maxFetch: 10_000_000 });
const documents = records.map(({ attributes, ...fields }): Document => {
  return { _id: fields.Id, ...fields, SystemModstamp: new Date(String(fields.SystemModstamp)) };
});
const client = await new MongoClient(url).connect();
const contacts = client.db().collection('limit_contact');
const startedAtMs = performance.now();
for (let at = 0; at < documents.length; at += DOCUMENTS) {
  await contacts.insertMany(documents.slice(at, at + DOCUMENTS), { ordered: false });
}
await contacts.createIndex({ AccountId: 1 });
const ms = performance.now() - startedAtMs;
const rows = await contacts.countDocuments();
await client.close();
output({ ms, rows });
