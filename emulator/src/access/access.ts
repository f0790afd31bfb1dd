import type { Org } from '../org/types.ts';
import type { Schema } from '../schema/types.ts';
import { changeSet } from './change-set.ts';
import { type Effective, effectiveOf } from './effective.ts';
import { createHidden, type Permissions } from './hidden.ts';
import { noField, noObject, type PermissionSet, type SystemPermission } from './permission-set.ts';
import { isProfileName, type ProfileName, profiles } from './profiles.ts';
import { type SchemaView, type ViewRules, viewSchema } from './schema-view.ts';

/** Who may see and do what. Everything that a user is shown or may write is decided here, and nowhere else. */
export interface Access {
  /** What the API user cannot see, however much of an administrator that user is. */
  readonly permissions: Permissions;
  /** The org as this user sees it: what may not be read is not there. */
  orgAs(userId: string): Org;
  schemaOf(userId: string): Schema;
  may(userId: string, permission: SystemPermission): boolean;
  /** For platform events as well, which are not in the schema: reading is subscribing, creating is publishing. */
  canRead(userId: string, object: string): boolean;
  canCreate(userId: string, object: string): boolean;
  canSeeField(userId: string, object: string, field: string): boolean;
  /** "View All Records" of the object, or "View All Data": what subscribing to its change events wants. */
  canReadAll(userId: string, object: string): boolean;
  /** Gives a user a profile, with changes for this user alone. Permission sets stay assigned. @throws {TypeError} */
  setProfile(userId: string, profile: string, changes?: PermissionSet): void;
  /** @throws {TypeError} when `setProfile` would. */
  checkProfile(profile: string, changes?: PermissionSet): void;
  /** Changes some permissions of the user's own profile. @throws {TypeError} */
  permit(userId: string, changes: PermissionSet): void;
  /** Makes a permission set that can be assigned, or replaces it. @throws {TypeError} */
  define(name: string, set: PermissionSet): void;
  /** @throws {TypeError} there is no such set. */
  assign(userId: string, name: string): void;
  unassign(userId: string, name: string): void;
  assignedTo(userId: string): string[];
  permissionSets(): string[];
}

/** One user's permissions and what follows from them. */
interface Grants {
  profile: PermissionSet;
  readonly assigned: Set<string>;
  effective: Effective;
  readonly view: SchemaView;
  readonly org: Org;
}

export function createAccess(org: Org): Access {
  const { schema } = org;
  const sets = new Map<string, PermissionSet>();
  const users = new Map<string, Grants>();
  const hidden = createHidden(schema, () => users.get(org.adminUserId)?.view.forget());

  const work = ({ profile, assigned }: Pick<Grants, 'profile' | 'assigned'>) =>
    effectiveOf(
      profile,
      [...assigned].flatMap((name) => sets.get(name) ?? []),
    );

  /** Users who were never given a profile have that of their colleagues in a new org. */
  function grantsOf(userId: string): Grants {
    const known = users.get(userId);
    if (known) return known;
    const isApiUser = userId === org.adminUserId;
    const name: ProfileName = isApiUser ? 'System Administrator' : 'Standard User';
    const own = { profile: profiles[name] as PermissionSet, assigned: new Set<string>() };
    const rules: ViewRules = {
      object: (object) => (isApiUser && hidden.hidesObject(object) ? noObject : grants.effective.object(object.name)),
      field: (object, field) => (isApiUser && hidden.hidesField(object, field) ? noField : grants.effective.field(object, field)),
    };
    const view = viewSchema(schema, rules, () => org.clock.now());
    const viewer = { userId, schema: view.schema, mayPurge: () => grants.effective.may('bulkApiHardDelete') };
    const grants: Grants = { ...own, effective: work(own), view, org: org.as(viewer) };
    users.set(userId, grants);
    return grants;
  }

  function change(userId: string, how: (grants: Grants) => void): void {
    const grants = grantsOf(userId);
    how(grants);
    grants.effective = work(grants);
    grants.view.forget();
  }

  function profileOf(name: string, changes: PermissionSet = {}): PermissionSet {
    const profile = isProfileName(name) ? profiles[name] : sets.get(name);
    if (!profile) throw new TypeError(`there is no profile '${name}'`);
    return changeSet(schema, profile, changes, true);
  }

  function mayDo(userId: string, name: string, what: 'read' | 'create'): boolean {
    const { view, effective } = grantsOf(userId);
    const known = schema.object(name);
    // What is hidden from the API user is not in the view.
    if (known && !view.schema.object(name)) return false;
    return effective.object(known?.name ?? name)[what];
  }

  const known = (name: string) => {
    if (!sets.has(name)) throw new TypeError(`there is no permission set '${name}'`);
    return name;
  };

  return {
    permissions: hidden.permissions,
    orgAs: (userId) => grantsOf(userId).org,
    schemaOf: (userId) => grantsOf(userId).view.schema,
    may: (userId, permission) => grantsOf(userId).effective.may(permission),
    canRead: (userId, object) => mayDo(userId, object, 'read'),
    canCreate: (userId, object) => mayDo(userId, object, 'create'),
    canSeeField: (userId, object, field) => grantsOf(userId).view.schema.field(object, field) !== undefined,
    canReadAll(userId, name) {
      const { view, effective } = grantsOf(userId);
      const object = view.schema.object(name);
      return object !== undefined && effective.object(object.name).viewAll;
    },
    setProfile: (userId, profile, changes) =>
      change(userId, (grants) => {
        grants.profile = profileOf(profile, changes);
      }),
    checkProfile: (profile, changes) => void profileOf(profile, changes),
    permit: (userId, changes) =>
      change(userId, (grants) => {
        grants.profile = changeSet(schema, grants.profile, changes, true);
      }),
    define(name, set) {
      sets.set(name, changeSet(schema, {}, set, false));
      for (const [userId, { assigned }] of users) if (assigned.has(name)) change(userId, () => {});
    },
    assign: (userId, name) => change(userId, ({ assigned }) => assigned.add(known(name))),
    unassign: (userId, name) => change(userId, ({ assigned }) => assigned.delete(known(name))),
    assignedTo: (userId) => [...grantsOf(userId).assigned],
    permissionSets: () => [...sets.keys()],
  };
}
