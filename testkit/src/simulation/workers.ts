import {
  LATE_MS,
  type LiveWorker,
  NotConnectedError,
  type Peer,
  SILENT_MS_MAX,
  type Worker,
  type WorkerSession,
  type WorkerStore,
} from '@tidemark/core';

/** How what a process asks of the store reaches it, and how it hears of the answer. */
export interface WorkerLine {
  /** @throws {NotConnectedError} the question, or its answer, got lost */
  ask<T>(what: string, question: () => T): Promise<T>;
  /** The store ends the session. May never be heard of. */
  tell(what: string, hear: () => void): void;
}

interface Entry {
  readonly id: string;
  worker: Worker;
  config: string;
  heardAtMs: number;
  hasEnded: boolean;
  readonly end: () => void;
}

/** The sessions of a store that workers share, as its server keeps them, in a world's time. */
export class SimulatedWorkers {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Entry>();
  readonly #owners = new Map<string, string>();
  readonly #configuredAtMs = new Map<string, number>();
  #joined = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Of each unit that somebody owns: his session. */
  get owners(): ReadonlyMap<string, string> {
    this.#endSilent();
    return this.#owners;
  }

  /** As one process sees it. */
  reachedBy(line: WorkerLine): WorkerStore {
    return {
      isShared: true,
      check: async () => [],
      join: (worker) => this.#join(worker, line),
      workers: () => line.ask('workers', () => this.#living()),
    };
  }

  /** The server ends a session, as when its process is killed. */
  end(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined || entry.hasEnded) return;
    entry.hasEnded = true;
    for (const [unit, owner] of this.#owners) if (owner === id) this.#owners.delete(unit);
    entry.end();
  }

  async #join(worker: Worker, line: WorkerLine): Promise<WorkerSession> {
    const lost = new AbortController();
    const id = await line.ask('join', () => {
      const id = `session ${++this.#joined}`;
      const config = this.#keepConfig(worker);
      const end = () => line.tell('session ends', () => lost.abort());
      this.#sessions.set(id, { id, worker, config, heardAtMs: this.#now(), hasEnded: false, end });
      return id;
    });
    const ask = async <T>(what: string, question: (entry: Entry) => T): Promise<T> => {
      try {
        if (lost.signal.aborted) throw new NotConnectedError('the session has ended');
        return await line.ask(what, () => question(this.#heard(id)));
      } catch (error) {
        // A connection that breaks is not mended: a session goes with it.
        lost.abort();
        throw error;
      }
    };
    const close = () => void line.ask('close', () => this.end(id)).catch(() => {});
    return {
      id,
      lost: lost.signal,
      announce: (configured) =>
        ask('announce', (entry) => {
          entry.worker = { ...entry.worker, configured };
          entry.config = this.#keepConfig(entry.worker, this.#configuredAtMs.get(entry.config));
        }),
      beat: () => ask('beat', () => this.#peers(id)),
      take: (units, max) => ask('take', () => this.#take(id, units, max)),
      give: (units) =>
        ask('give', () => {
          for (const unit of units) if (this.#owners.get(unit) === id) this.#owners.delete(unit);
        }),
      leave: async () => {
        await ask('leave', () => this.end(id));
        lost.abort();
      },
      async [Symbol.asyncDispose]() {
        lost.abort();
        close();
      },
    };
  }

  #keepConfig({ configured }: Worker, sinceMs = this.#now()): string {
    const config = JSON.stringify(Object.entries(configured).sort());
    if (!this.#configuredAtMs.has(config)) this.#configuredAtMs.set(config, sinceMs);
    return config;
  }

  #heard(id: string): Entry {
    this.#endSilent();
    const entry = this.#sessions.get(id)!;
    if (entry.hasEnded) throw new NotConnectedError('the store has ended this session');
    entry.heardAtMs = this.#now();
    return entry;
  }

  #endSilent(): void {
    for (const { id, heardAtMs } of this.#sessions.values()) if (this.#now() - heardAtMs > SILENT_MS_MAX) this.end(id);
  }

  #peers(self: string): readonly Peer[] {
    return [...this.#sessions.values()]
      .filter(({ hasEnded }) => !hasEnded)
      .map(({ id, worker, config, heardAtMs }) => ({
        id,
        configured: worker.configured,
        configuredAtMs: this.#configuredAtMs.get(config)!,
        isLate: id !== self && this.#now() - heardAtMs > LATE_MS,
      }));
  }

  #take(id: string, units: readonly string[], max: number): readonly string[] {
    const taken = units.filter((unit) => !this.#owners.has(unit)).slice(0, Math.max(0, max));
    for (const unit of taken) this.#owners.set(unit, id);
    return taken;
  }

  #living(): readonly LiveWorker[] {
    this.#endSilent();
    return [...this.#sessions.values()]
      .filter(({ hasEnded }) => !hasEnded)
      .map(({ id, worker: { name, version, startedAtMs } }) => {
        const owns = [...this.#owners].flatMap(([unit, owner]) => (owner === id ? [unit] : [])).sort();
        return { id, name, version, startedAtMs, owns };
      });
  }
}
