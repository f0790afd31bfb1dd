import type { Mutation } from '../lib/simulation.ts';

/** Every safeguard of a two-way sync, taken away one at a time. */
export const mutations: readonly Mutation[] = [];
