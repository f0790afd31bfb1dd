import type { CredentialOptions, Identity } from '../auth/identity.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { Org } from '../org/types.ts';
import type { Access } from './access.ts';
import type { PermissionSet } from './permission-set.ts';
import { profileRow, userDefaults } from './user-row.ts';

export interface NewUser extends Pick<CredentialOptions, 'password' | 'securityToken' | 'clientId' | 'clientSecret'> {
  username: string;
  firstName?: string;
  lastName?: string;
  email?: string;
  /** One that every org has (`Read Only`), or one from a source folder. `Standard User` when absent. */
  profile?: string;
  /** What differs from the profile. */
  permissions?: PermissionSet;
  /** Names of permission sets to assign. */
  permissionSets?: readonly string[];
}

/** What the new user signs in with, and tokens of a session that is already begun. */
export interface UserCredentials {
  userId: string;
  username: string;
  password: string;
  securityToken: string;
  /** A connected app that acts as this user by client credentials. */
  clientId: string;
  clientSecret: string;
  accessToken: string;
  refreshToken: string;
}

export interface UserFacts {
  userId: string;
  username: string;
  profile: string;
  permissionSets: readonly string[];
}

/** The people of an org that sign in, and what they may do. */
export interface Users {
  /** @throws {TypeError} when the name is taken, or a permission names what is not there. */
  add(user: NewUser): UserCredentials;
  /** Changes some permissions of this user alone: `{ fields: { 'Contact.Email': { read: false } } }`. @throws {TypeError} */
  permit(userId: string, permissions: PermissionSet): void;
  /** @throws {TypeError} there is no such profile. */
  setProfile(userId: string, profile: string): void;
  /** Makes a permission set, or replaces it for all who have it. @throws {TypeError} */
  definePermissionSet(name: string, permissions: PermissionSet): void;
  assign(userId: string, permissionSet: string): void;
  unassign(userId: string, permissionSet: string): void;
  permissionSets(): string[];
  list(): UserFacts[];
}

const profileDefault = 'Standard User';
const profileOfApiUser = 'System Administrator';

export function createUsers(org: Org, access: Access, identity: Identity, sessions: Sessions): Users {
  const profiles = new Map<string, string>([[org.adminUserId, profileOfApiUser]]);

  /** @throws {TypeError} before anything is made of a user that cannot be. */
  function check({ username, profile, permissionSets = [], permissions }: NewUser): void {
    if (identity.account(username)) throw new TypeError(`there is a user '${username}' already`);
    access.checkProfile(profile ?? profileDefault, permissions);
    const unknown = permissionSets.find((name) => !access.permissionSets().includes(name));
    if (unknown !== undefined) throw new TypeError(`there is no permission set '${unknown}'`);
  }

  const known = (userId: string) => {
    if (!identity.accounts().some((account) => account.userId === userId)) throw new TypeError(`there is no user '${userId}'`);
    return userId;
  };

  return {
    add(user) {
      check(user);
      const profile = user.profile ?? profileDefault;
      const { id: userId } = insertUser(org, user, profile);
      const account = identity.add(userId, credentialsOf(user));
      profiles.set(userId, profile);
      access.setProfile(userId, profile, user.permissions);
      for (const name of user.permissionSets ?? []) access.assign(userId, name);
      return { ...account, accessToken: sessions.start(userId).token, refreshToken: sessions.grantRefreshToken(userId) };
    },
    permit: (userId, permissions) => access.permit(known(userId), permissions),
    setProfile(userId, profile) {
      access.setProfile(known(userId), profile);
      profiles.set(userId, profile);
      org.write((transaction) => transaction.update('User', userId, { ProfileId: profileRow(org, profile) }));
    },
    definePermissionSet: (name, permissions) => access.define(name, permissions),
    assign: (userId, name) => access.assign(known(userId), name),
    unassign: (userId, name) => access.unassign(known(userId), name),
    permissionSets: () => access.permissionSets(),
    list: () =>
      identity.accounts().map(({ userId, username }) => ({
        userId,
        username,
        profile: profiles.get(userId) ?? profileDefault,
        permissionSets: access.assignedTo(userId),
      })),
  };
}

function insertUser(org: Org, user: NewUser, profile: string): { id: string } {
  const handle = user.username.split('@')[0] as string;
  const values = {
    ...userDefaults,
    Username: user.username,
    FirstName: user.firstName ?? null,
    LastName: user.lastName ?? handle,
    Email: user.email ?? user.username,
    Alias: handle.slice(0, 8),
    CommunityNickname: handle.slice(0, 40),
    ProfileId: profileRow(org, profile),
  };
  return org.write((transaction) => transaction.insert('User', values));
}

function credentialsOf({ username, password, securityToken, clientId, clientSecret }: NewUser) {
  return {
    username,
    ...(password === undefined ? {} : { password }),
    ...(securityToken === undefined ? {} : { securityToken }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
  };
}
