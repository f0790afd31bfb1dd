import type { BackdoorRoute } from './backdoor.ts';
import { readText } from './read.ts';

export const permissionRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/hidden', answer: (_request, { permissions }) => ({ hidden: permissions.list() }) },
  {
    method: 'POST',
    path: '/hide',
    answer({ body }, { permissions }) {
      permissions.hide(readText(body, 'object'), body.field === undefined ? undefined : readText(body, 'field'));
      return { hidden: permissions.list() };
    },
  },
  {
    method: 'POST',
    path: '/show',
    answer({ body }, { permissions }) {
      permissions.show(readText(body, 'object'), body.field === undefined ? undefined : readText(body, 'field'));
      return { hidden: permissions.list() };
    },
  },
];
