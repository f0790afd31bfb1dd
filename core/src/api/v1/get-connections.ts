import { type ApiEndpoint, refusals } from './endpoint.ts';
import { listOf } from './shapes/common.ts';
import { connection } from './shapes/connection.ts';

export const getConnections: ApiEndpoint = (api, { engine }) => {
  api.get(
    '/connections',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Configured systems, who uses them, and how their API calls stand',
        tags: ['connections'],
        response: { 200: listOf(connection), ...refusals },
      },
    },
    async () => {
      const { connections, syncs, pairings } = engine.config;
      const budgets = new Map((await engine.budgets()).map((budget) => [budget.connection, budget]));
      const usedBy = new Map([...connections.keys()].map((name) => [name, new Set<string>()]));
      for (const sync of [...syncs.keys(), ...pairings.keys()]) {
        for (const { connection: used } of engine.outline(sync).blocks) if (used !== null) usedBy.get(used.name)?.add(sync);
      }
      return [...connections.values()].map(({ name, connector, notes }) => ({
        ...{ name, type: connector.name, notes },
        usedBy: [...usedBy.get(name)!],
        budget: budgets.get(name) ?? null,
      }));
    },
  );
};
