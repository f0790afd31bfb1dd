import { startEmulator } from '@tidemark/emulator';
import { answer } from './spoken-child.ts';

/** What has come to the org since somebody asked. */
export type TwoWayOrgQuestion = { readonly kind: 'arrived' };

export interface Arrived {
  readonly commits: readonly {
    /** Epoch ms. */
    readonly atMs: number;
    /** Where the stream stood with the events of this commit: whoever is there has been told of it. */
    readonly replayId: number;
    readonly phones: readonly string[];
  }[];
}

/** An org whose accounts keep the key of their partner. */
await using emulator = await startEmulator({
  changeEvents: ['Account'],
  limits: { DailyApiRequests: 10_000_000, DailyDeliveredPlatformEvents: 10_000_000 },
}).then((started) => Object.assign(started, { [Symbol.asyncDispose]: () => started.close() }));
const { schema } = emulator.org;
const phone = schema.field('Account', 'Phone')!;
const external = { type: 'string', custom: true, externalId: true, idLookup: true, unique: true } as const;
schema.add({ ...schema.object('Account')!, fields: [{ ...phone, name: 'App_Id__c', label: 'App Id', ...external }] });

let commits: Arrived['commits'][number][] = [];
emulator.org.onCommit(({ changes }) => {
  const phones = changes.filter(({ object }) => object === 'Account').map(({ after }) => String(after.Phone ?? ''));
  const atMs = performance.timeOrigin + performance.now();
  if (phones.length > 0) commits.push({ atMs, replayId: emulator.events.latestReplayId(), phones });
});
answer(emulator.credentials);
process.on('message', () => {
  answer({ commits } satisfies Arrived);
  commits = [];
});
await new Promise((resolve) => process.on('disconnect', resolve));
