import type { Mutation } from '../lib/simulation.ts';

export const mutations: readonly Mutation[] = [];
