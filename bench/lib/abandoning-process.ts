import { firstLine, output, start } from './child.ts';
import { SpokenChild } from './spoken-child.ts';

/** Starts one process of each kind, says so, and goes on: for a test of what becomes of them. */
await firstLine(start('./waiting-process.ts', {}));
const spoken = new SpokenChild('./waiting-process.ts', {});
output({ ready: true });
await spoken.next();
