import { isMainThread } from 'node:worker_threads';

// Imported into every process that a bench starts, ahead of its script: it ends when the bench is gone, however that went. A bench
// that is killed can say nothing to anybody, but its end of the pipe that is our stdin closes with it.

/** Whoever holds data may put them away until then. */
const END_MS = 5_000;

if (isMainThread) {
  process.stdin.once('end', end).resume();
  // Whoever is done ends all the same.
  process.stdin.unref();
}

function end(): void {
  // Whoever hears that its channel closed puts away what it holds, and ends; a signal would be there first.
  if (!process.channel && process.listenerCount('disconnect') === 0) process.kill(process.pid, 'SIGTERM');
  setTimeout(() => process.exit(1), END_MS).unref();
}
