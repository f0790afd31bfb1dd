import { type EmulatorCredentials, startEmulator } from '@tidemark/emulator';
import { output } from './child.ts';

/** An org whose accounts have a unique external id, `Code__c`. */
const emulator = await startEmulator({ limits: { DailyApiRequests: 10_000_000 } });
const { schema } = emulator.org;
const phone = schema.field('Account', 'Phone')!;
const external = { type: 'string', custom: true, externalId: true, idLookup: true, unique: true } as const;
schema.add({ ...schema.object('Account')!, fields: [{ ...phone, name: 'Code__c', label: 'Code', ...external }] });
output(emulator.credentials satisfies EmulatorCredentials);
process.on('SIGTERM', () => {
  emulator.close().then(() => process.exit(0));
});
