import { openStore } from '@tidemark/core';
import { describeWorkers } from '../contracts/store-workers.ts';
import { SimulatedWorkers } from './workers.ts';

// What is simulated promises what a server does, or worlds would show nothing of ownership.                                   (P11)

const workers = new SimulatedWorkers(() => Date.now());

describeWorkers(() => ({
  open: async () => {
    const reached = workers.reachedBy({
      ask: async (_, question) => question(),
      tell: (_, hear) => void setImmediate(hear),
    });
    const store = await openStore(':memory:');
    return new Proxy(store, { get: (target, name) => (name === 'workers' ? reached : Reflect.get(target, name)) });
  },
}));
