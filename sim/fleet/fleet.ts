import type { Simulation } from '../lib/simulation.ts';
import { mutations } from './mutations.ts';
import { runWorld } from './world.ts';

export const fleet: Simulation = { mutations, run: runWorld };
