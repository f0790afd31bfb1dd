import { parentPort, workerData } from 'node:worker_threads';
import { faultOf } from './fault.ts';
import { createHandlers, type Handlers } from './handlers.ts';

/** Where SQLite runs: its calls block, and a large merge must not block the process. */
export interface WorkerSettings {
  readonly path: string;
  readonly busyTimeoutMs: number;
}

export interface WorkerRequest {
  readonly id: number;
  readonly op: keyof Handlers;
  readonly args: readonly unknown[];
}

/** How long staged rows may hold the file's write lock with no more of them coming. */
const idleMs = 20;

const { path, busyTimeoutMs } = workerData as WorkerSettings;
const handlers = createHandlers(path, busyTimeoutMs);
let idle: NodeJS.Timeout | undefined;

parentPort!.on('message', ({ id, op, args }: WorkerRequest) => {
  clearTimeout(idle);
  try {
    const handler = handlers[op] as (...args: readonly unknown[]) => unknown;
    parentPort!.postMessage({ id, result: handler(...args) });
  } catch (error) {
    parentPort!.postMessage({ id, fault: faultOf(error, path) });
  }
  if (op === 'stage') idle = setTimeout(handlers.idle, idleMs);
});
