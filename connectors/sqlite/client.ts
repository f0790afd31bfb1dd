import { Worker } from 'node:worker_threads';
import { NotConnectedError } from '@tidemark/core';
import { errorOf } from './errors.ts';
import type { Fault } from './fault.ts';
import type { Handlers } from './handlers.ts';
import type { WorkerRequest, WorkerSettings } from './worker.ts';

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly fault?: Fault;
}

type Args<Op extends keyof Handlers> = Parameters<Handlers[Op]>;
type Result<Op extends keyof Handlers> = ReturnType<Handlers[Op]>;

/** The main thread's end of the worker of one database file. The worker starts with the first request. */
export class SqliteClient {
  readonly settings: WorkerSettings;
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #lock: Promise<unknown> = Promise.resolve();

  constructor(settings: WorkerSettings) {
    this.settings = settings;
  }

  call<Op extends keyof Handlers>(op: Op, ...args: Args<Op>): Promise<Result<Op>> {
    return new Promise<Result<Op>>((resolve, reject) => {
      const worker = this.#started();
      const id = this.#nextId++;
      worker.postMessage({ id, op, args } satisfies WorkerRequest);
      // Only work under way keeps the process alive.
      if (this.#pending.size === 0) worker.ref();
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /**
   * One piece of writing at a time: a transaction stays open while the main thread settles its results, and nothing else may be
   * written through the same connection meanwhile. Reading needs no lock.
   */
  locked<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lock.then(work, work);
    this.#lock = result.catch(() => undefined);
    return result;
  }

  /**
   * Writing that one call does from beginning to end, as soon as nothing is `locked`. Many may be sent: they wait in the worker's
   * own queue, in their order and before what is locked later, so that it finds the next one when it has answered the last.
   */
  queued<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.then(work);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    await this.#lock;
    await this.call('close');
    this.#worker = null;
    await worker.terminate();
  }

  #started(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: this.settings,
      name: 'tidemark-sqlite',
      // Decoded cells die at once: a small nursery is as fast, and memory does not grow with the rows (P9).
      resourceLimits: { maxYoungGenerationSizeMb: 12 },
      // Node's notices belong to the main thread.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    worker.unref();
    worker.on('message', ({ id, result, fault }: Reply) => {
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (this.#pending.size === 0) worker.unref();
      if (fault === undefined) waiting?.resolve(result);
      else waiting?.reject(errorOf(fault));
    });
    worker.on('error', (error) => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, undefined));
    this.#worker = worker;
    return worker;
  }

  #lost(worker: Worker, cause: unknown): void {
    if (this.#worker === worker) this.#worker = null;
    for (const { reject } of this.#pending.values()) {
      reject(new NotConnectedError(`The thread that writes ${this.settings.path} has ended`, { cause }));
    }
    this.#pending.clear();
  }
}
