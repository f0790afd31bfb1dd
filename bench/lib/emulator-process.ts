import { type EmulatorCredentials, startEmulator } from '@tidemark/emulator';
import { input, output } from './child.ts';

/** An org with `rows` contacts. One Bulk result page holds them all unless the client asks for less: jsforce needs that. */
const { rows } = input<{ rows: number }>();
const emulator = await startEmulator({
  fill: { Contact: rows },
  bulkPageRows: rows + 1,
  limits: { DailyApiRequests: 10_000_000 },
});
output(emulator.credentials satisfies EmulatorCredentials);
process.on('SIGTERM', () => {
  emulator.close().then(() => process.exit(0));
});
