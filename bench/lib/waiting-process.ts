import { output } from './child.ts';

/** Waits for nothing, and for ever: for a test of who ends it. */
output({ pid: process.pid });
setInterval(() => {}, 1_000_000);
