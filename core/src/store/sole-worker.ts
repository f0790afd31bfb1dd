import type { WorkerSession, WorkerStore } from './workers.ts';

/** A store in a file of one machine: whoever runs syncs from it runs them all, and nothing is asked of anybody for that. */
export const soleWorker: WorkerStore = {
  isShared: false,
  check: async () => [],
  workers: async () => [],
  async join(worker): Promise<WorkerSession> {
    const id = 'sole worker';
    let { configured } = worker;
    return {
      id,
      lost: new AbortController().signal,
      announce: async (now) => {
        configured = now;
      },
      beat: async () => [{ id, configured, configuredAtMs: 0, isLate: false }],
      take: async (units, max) => units.slice(0, max),
      give: async () => {},
      leave: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  },
};
