import type { BackdoorRoute } from './backdoor.ts';
import { readNumber, readObject, refuseUnknown } from './read.ts';

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
    answer({ body }, { limits }) {
      refuseUnknown(body, ['max', 'spend']);
      const max = body.max === undefined ? {} : readObject(body, 'max');
      const spend = body.spend === undefined ? {} : readObject(body, 'spend');
      refuseUnknown(max, Object.keys(limits));
      refuseUnknown(spend, Object.keys(limits));
      for (const [name, limit] of Object.entries(limits)) {
        limit.max = readNumber(max, name, limit.max);
        if (spend[name] === undefined) continue;
        if (!('add' in limit)) throw new TypeError(`'${name}' is not spent: it counts what is open`);
        // What other applications of the org use up.
        limit.add(readNumber(spend, name));
      }
      return Object.fromEntries(Object.entries(limits).map(([name, limit]) => [name, { max: limit.max, used: limit.used() }]));
    },
  },
];
