import { type Change, type Clock, type DatasetSchema, NO_STAMP, openStore, seededRandom, systemClock } from '@tidemark/core';
import { config, to } from '../config.ts';
import connector from '../connector.ts';

// A process that writes versions of records to an org until it is killed, or has come to the last one:
// `node kill-fixture.ts <input as JSON>`. Prints a line when it begins to write.

export interface KillFixtureInput {
  /** File of the state. */
  readonly store: string;
  readonly settings: object;
  /** The version after which it ends. */
  readonly last: number;
  readonly bulkAbove: number;
}

/** Keys that every version of one kind writes: by a job of the Bulk API, by Collections. */
export const inAJob = 60;
export const inACall = 15;

export const schema: DatasetSchema = {
  name: 'versions',
  key: ['Key__c'],
  fields: ['Key__c', 'Text__c'].map((name) => ({ name, type: 'text', nullable: true })),
};

/** A version touches many records or few of the same ones, makes one of its own, and takes away that of the version before. */
export function changesOf(version: number): Change[] {
  const keys = Array.from({ length: version % 2 === 0 ? inAJob : inACall }, (_, i) => `k${i}`);
  const written = [...keys, `of ${version}`].map((key): Change => {
    return { op: 'upsert', key, row: { Key__c: key, Text__c: String(version) }, stampMs: NO_STAMP };
  });
  return [...written, { op: 'delete', key: `of ${version - 1}`, row: null, stampMs: NO_STAMP }];
}

if (import.meta.main) {
  const { store: file, settings, last, bulkAbove } = JSON.parse(process.argv[2]!) as KillFixtureInput;
  const never = new AbortController().signal;
  const store = await openStore(file);
  // Polls and backoffs are short here, deadlines are not.
  const clock: Clock = {
    now: systemClock.now,
    sleep: (ms, signal) => systemClock.sleep(ms < 30_000 ? Math.min(ms, 10) : ms, signal),
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'crm', clock, random: seededRandom(1), log, fetch, baseDir: '/' };
  const connection = connector.open(config.parse(settings), context);
  const memory = { get: () => store.getValue('job'), set: (value: string | null) => store.setValue('job', value) };
  const options = to.parse({ object: 'Enrichment__c', bulkAbove });
  const target = await connection.openTarget!({ to: options, unit: 'versions', schema, deletes: 'mirror', memory }, never);
  const { epoch, checkpoint } = await store.checkpoints.acquire('versions');
  process.stdout.write('writing\n');
  for (let version = Number(checkpoint ?? 0) + 1; version <= last; version++) {
    const results = await target.write(changesOf(version), { epoch, settle: async () => null }, never);
    const refused = results.find(({ status }) => status === 'rejected');
    if (refused !== undefined) throw new Error(JSON.stringify(refused));
    await store.checkpoints.write('versions', epoch, String(version));
  }
  await store[Symbol.asyncDispose]();
  await connection[Symbol.asyncDispose]();
}
