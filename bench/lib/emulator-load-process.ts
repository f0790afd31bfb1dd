import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { input, output } from './child.ts';

/** An org that is asked by another process, with events lying on its bus. Or, when `orgs` is given, what such orgs weigh. */
export type EmulatorLoadInput =
  | { readonly kind: 'serve'; readonly records: number; readonly events: number }
  | { readonly kind: 'memory'; readonly orgs: number; readonly records: number };

export interface Weight {
  readonly startedMb: number;
  readonly filledMb: number;
  readonly fillMs: number;
}

const given = input<EmulatorLoadInput>();
/** As many as no bench uses up: what is measured is the emulator, not its limits. */
const plenty = 1_000_000_000;
const limits = {
  DailyApiRequests: plenty,
  DailyBulkApiBatches: plenty,
  DailyDeliveredPlatformEvents: plenty,
  HourlyPublishedPlatformEvents: plenty,
};

if (given.kind === 'serve') {
  const emulator = await startEmulator({ fill: { Account: 1000, Contact: given.records }, limits, changeEvents: ['Lead'] });
  emulator.ingest.pace = 'immediate';
  makeEvents(emulator, given.events);
  output(emulator.credentials);
  process.on('SIGTERM', () => {
    emulator.close().then(() => process.exit(0));
  });
} else {
  const startedMb = await settledMb();
  const startedAtMs = performance.now();
  const emulators: Emulator[] = [];
  for (let n = 0; n < given.orgs; n++) {
    // In process: orgs by the hundred are for worlds in one process, which need no sockets.
    emulators.push(await startEmulator({ listen: false, seed: n + 1, fill: { Contact: given.records }, limits }));
  }
  const fillMs = performance.now() - startedAtMs;
  output({ startedMb, filledMb: await settledMb(), fillMs } satisfies Weight);
  // What is still used is not collected before it is weighed.
  await Promise.all(emulators.map((emulator) => emulator.close()));
  process.exit(0);
}

/** Records of their own, of which changes are told, in transactions of 200: a create each, whole. */
function makeEvents({ org }: Emulator, events: number): void {
  for (let made = 0; made < events; made += 200) {
    org.write((transaction) => {
      for (let i = made; i < Math.min(made + 200, events); i++) {
        transaction.insert('Lead', {
          LastName: `Lead ${i}`,
          FirstName: 'Given',
          Company: `Company ${i % 997}`,
          Email: `lead.${i}@example.com`,
          City: 'Ulm',
          Country: 'Germany',
          AnnualRevenue: i,
        });
      }
    });
  }
}

async function settledMb(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round++) {
    collect();
    await sleep(50);
  }
  return process.memoryUsage.rss() / 1024 / 1024;
}
