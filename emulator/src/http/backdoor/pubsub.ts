import type { ManagedSubscriptionSpec } from '../../pubsub/managed-subscriptions.ts';
import type { BackdoorRoute } from './backdoor.ts';

/** Where the Pub/Sub API is and what it shows, and the managed subscriptions that Setup would define. */
export const pubsubRoutes: readonly BackdoorRoute[] = [
  {
    method: 'GET',
    path: '/pubsub',
    answer: async (_request, { pubsub }) => ({
      endpoint: pubsub?.endpoint ?? null,
      tlsEndpoint: pubsub?.tlsEndpoint ?? null,
      certificate: (await pubsub?.certificate()) ?? null,
    }),
  },
  {
    method: 'GET',
    path: '/managed-subscriptions',
    answer: (_request, { managedSubscriptions }) => ({ subscriptions: managedSubscriptions.list() }),
  },
  {
    // Also changes the one of this name: `{"developerName": "Crm", "topicName": "/data/ChangeEvents", "state": "STOP"}`.
    method: 'POST',
    path: '/managed-subscriptions',
    answer: ({ body }, { managedSubscriptions }) => managedSubscriptions.define(body as unknown as ManagedSubscriptionSpec),
  },
  {
    method: 'DELETE',
    path: '/managed-subscriptions/:name',
    answer: ({ params }, { managedSubscriptions }) => ({ removed: managedSubscriptions.remove(params.name as string) }),
  },
];
