import type { BackdoorRoute } from './backdoor.ts';
import { readNumber, refuseUnknown } from './read.ts';

export const requestRoutes: readonly BackdoorRoute[] = [
  {
    method: 'GET',
    path: '/requests',
    answer: ({ query }, { requests }) => {
      const last = Number(query.get('last') ?? 1000);
      return { ...requests.totals(), log: last > 0 ? requests.entries().slice(-last) : [] };
    },
  },
  { method: 'DELETE', path: '/requests', answer: (_request, { requests }) => requests.reset() },
  {
    method: 'POST',
    path: '/limits',
    answer({ body }, { ledger }) {
      refuseUnknown(body, ['apiRequestsMax', 'spend']);
      ledger.requestsMax = readNumber(body, 'apiRequestsMax', ledger.requestsMax);
      // What other applications of the org use up.
      ledger.add(readNumber(body, 'spend', 0));
      return { apiRequestsMax: ledger.requestsMax, used: ledger.used() };
    },
  },
];
