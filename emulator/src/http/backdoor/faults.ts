import type { FaultSpec } from '../../faults/types.ts';
import type { BackdoorRoute } from './backdoor.ts';
import { refuseUnknown } from './read.ts';

export const faultRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/faults', answer: (_request, { faults }) => ({ faults: faults.list() }) },
  {
    method: 'POST',
    path: '/faults',
    answer({ body }, { faults }) {
      refuseUnknown(body, ['kind', 'match', 'params']);
      return { id: faults.add(body as unknown as FaultSpec) };
    },
  },
  { method: 'DELETE', path: '/faults', answer: (_request, { faults }) => faults.clear() },
  {
    method: 'DELETE',
    path: '/faults/:id',
    answer: ({ params }, { faults }) => ({ removed: faults.remove(params.id as string) }),
  },
];
