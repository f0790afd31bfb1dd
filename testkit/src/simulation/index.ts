/** A world in one process, from one seed: for whoever brings an org, an engine and a network to it. */
export * from './history.ts';
export * from './life.ts';
export * from './scheduler.ts';
export * from './workers.ts';
