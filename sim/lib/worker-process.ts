import type { Task } from './run-seeds.ts';
import { simulations } from './simulations.ts';

// Runs the seeds that it is sent, one at a time, until nobody sends any more.
process.on('message', async ({ name, seed, ...options }: Task) => {
  const simulation = await simulations[name]!.load();
  process.send!(await simulation.run(seed, options));
});
process.on('disconnect', () => process.exit(0));
