import { Worker } from 'node:worker_threads';
import { NotConnectedError } from '@tidemark/core';
import { errorOf } from './errors.ts';
import { type Fault, faultOf } from './fault.ts';
import { createHandlers, type Handlers } from './handlers.ts';
import type { WorkerRequest, WorkerSettings } from './worker.ts';

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly fault?: Fault;
}

/**
 * How the calls of one file are run in this process instead of a thread of their own, for a simulation: when and in which order it
 * likes. `close` is what the death of the process does to the file.
 */
export type RunInProcess = (op: keyof Handlers, work: () => unknown, file: { readonly close: () => void }) => Promise<unknown>;

type Args<Op extends keyof Handlers> = Parameters<Handlers[Op]>;
type Result<Op extends keyof Handlers> = ReturnType<Handlers[Op]>;

/** The main thread's end of the worker of one database file. The worker starts with the first request. */
export class SqliteClient {
  readonly settings: WorkerSettings;
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #lock: Promise<unknown> = Promise.resolve();
  readonly #runInProcess: RunInProcess | undefined;
  #inProcess: Handlers | null = null;

  constructor(settings: WorkerSettings, runInProcess?: RunInProcess) {
    this.settings = settings;
    this.#runInProcess = runInProcess;
  }

  call<Op extends keyof Handlers>(op: Op, ...args: Args<Op>): Promise<Result<Op>> {
    if (this.#runInProcess !== undefined) return this.#callInProcess(op, args, this.#runInProcess);
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
    if (this.#inProcess !== null) {
      await this.#lock;
      await this.call('close');
      this.#inProcess = null;
    }
    const worker = this.#worker;
    if (worker === null) return;
    await this.#lock;
    await this.call('close');
    this.#worker = null;
    await worker.terminate();
  }

  #callInProcess<Op extends keyof Handlers>(op: Op, args: Args<Op>, run: RunInProcess): Promise<Result<Op>> {
    const { path, busyTimeoutMs } = this.settings;
    this.#inProcess ??= createHandlers(path, busyTimeoutMs);
    const handlers = this.#inProcess;
    // As between threads: what the caller changes afterwards is not seen.
    const sent = structuredClone(args) as readonly unknown[];
    const work = () => {
      try {
        return structuredClone((handlers[op] as (...args: readonly unknown[]) => unknown)(...sent));
      } catch (error) {
        throw errorOf(faultOf(error, path));
      }
    };
    return run(op, work, handlers) as Promise<Result<Op>>;
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
