import type { Simulation } from '../lib/simulation.ts';
import { runWorld } from './world.ts';

export const live: Simulation = {
  summary: 'live streams',
  run: (seed, options) => runWorld(seed, options),
};
