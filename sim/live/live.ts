import type { Simulation } from '../lib/simulation.ts';
import { mutations } from './mutations.ts';
import { stopServer } from './target-postgres.ts';
import { runWorld } from './world.ts';

export const live: Simulation = { mutations, run: runWorld, close: stopServer };
