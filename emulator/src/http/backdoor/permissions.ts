import type { BackdoorRoute } from './backdoor.ts';
import { readText } from './read.ts';

export const permissionRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/hidden', answer: (_request, { access }) => ({ hidden: access.permissions.list() }) },
  {
    method: 'POST',
    path: '/hide',
    answer({ body }, { access: { permissions } }) {
      permissions.hide(readText(body, 'object'), body.field === undefined ? undefined : readText(body, 'field'));
      return { hidden: permissions.list() };
    },
  },
  {
    method: 'POST',
    path: '/show',
    answer({ body }, { access: { permissions } }) {
      permissions.show(readText(body, 'object'), body.field === undefined ? undefined : readText(body, 'field'));
      return { hidden: permissions.list() };
    },
  },
];
