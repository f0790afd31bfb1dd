import { runEmulator } from '../src/index.ts';

process.exitCode = await runEmulator(process.argv.slice(2));
