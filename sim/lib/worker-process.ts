import type { Task } from './run-seeds.ts';
import type { Simulation } from './simulation.ts';
import { simulations } from './simulations.ts';

// Runs the seeds that it is sent, one at a time, until nobody sends any more.
let simulation: Simulation | undefined;
process.on('message', async ({ name, seed, ...options }: Task) => {
  simulation ??= await simulations[name]!.load();
  process.send!(await simulation.run(seed, options));
});
process.on('disconnect', async () => {
  await simulation?.close?.();
  process.exit(0);
});
