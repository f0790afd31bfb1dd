import { stopServer } from '../lib/postgres.ts';
import type { Simulation } from '../lib/simulation.ts';
import { mutations } from './mutations.ts';
import { runWorld } from './world.ts';

export const twoWay: Simulation = { mutations, run: runWorld, close: stopServer };
