import type { PermissionSet } from '../../access/permission-set.ts';
import type { NewUser } from '../../access/users.ts';
import type { BackdoorRoute } from './backdoor.ts';
import { readList, readObject, readText, refuseUnknown } from './read.ts';

const texts = ['username', 'password', 'securityToken', 'clientId', 'clientSecret', 'firstName', 'lastName', 'email', 'profile'];

export const userRoutes: readonly BackdoorRoute[] = [
  { method: 'GET', path: '/users', answer: (_request, { users }) => ({ users: users.list() }) },
  {
    // Answers the credentials: the only time that they are told.
    method: 'POST',
    path: '/users',
    answer({ body }, { users }) {
      refuseUnknown(body, [...texts, 'permissions', 'permissionSets']);
      readText(body, 'username');
      for (const name of texts) if (body[name] !== undefined) readText(body, name);
      if (body.permissions !== undefined) readObject(body, 'permissions');
      if (body.permissionSets !== undefined) readList(body, 'permissionSets');
      return users.add(body as unknown as NewUser);
    },
  },
  {
    method: 'POST',
    path: '/users/:id/permissions',
    answer({ params, body }, { users }) {
      users.permit(params.id as string, body as PermissionSet);
      return { users: users.list() };
    },
  },
  {
    method: 'POST',
    path: '/users/:id/permission-sets',
    answer({ params, body }, { users }) {
      users.assign(params.id as string, readText(body, 'name'));
      return { users: users.list() };
    },
  },
  {
    method: 'DELETE',
    path: '/users/:id/permission-sets/:name',
    answer({ params }, { users }) {
      users.unassign(params.id as string, params.name as string);
      return { users: users.list() };
    },
  },
  { method: 'GET', path: '/permission-sets', answer: (_request, { users }) => ({ permissionSets: users.permissionSets() }) },
  {
    method: 'POST',
    path: '/permission-sets',
    answer({ body }, { users }) {
      const { name: _name, ...permissions } = body;
      users.definePermissionSet(readText(body, 'name'), permissions as PermissionSet);
      return { permissionSets: users.permissionSets() };
    },
  },
];
