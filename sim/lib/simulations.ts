import type { Simulation } from './simulation.ts';

/** What `npm run sim -- <name>` knows; each loaded when it is asked for. */
export const simulations: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Simulation> }>> = {
  live: {
    summary: 'a stream of changes into a database: whatever befalls engine, network and target, the copy is the org in the end',
    load: async () => (await import('../live/live.ts')).live,
  },
  'two-way': {
    summary: 'an org and a database kept the same: whatever befalls engine, network and both sides, they are equal in the end',
    load: async () => (await import('../two-way/two-way.ts')).twoWay,
  },
  fleet: {
    summary:
      'several workers that share the syncs: whatever befalls them, each unit has one effective owner, and the copy is the org',
    load: async () => (await import('../fleet/fleet.ts')).fleet,
  },
};
