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
      const budgets = await engine.budgets();
      return [...connections.values()].map(({ name, connector, notes }) => {
        const usedBy = [...syncs.keys(), ...pairings.keys()].filter((sync) =>
          engine.outline(sync).blocks.some((block) => block.connection?.name === name),
        );
        return { name, type: connector.name, notes, usedBy, budget: budgets.find((each) => each.connection === name) ?? null };
      });
    },
  );
};
