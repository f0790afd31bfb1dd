import type { PackageFacts } from '@tidemark/core';
import { Grants } from './grants.ts';
import { byName, type Names } from './names.ts';
import type { ObjectUse, OrgUse } from './org-use.ts';
import type { MadeEvent, MadeObject } from './plan-package.ts';
import { isGranted, readWith, standardGrant } from './standard.ts';

interface Made {
  readonly objects: readonly MadeObject[];
  readonly events: readonly MadeEvent[];
  readonly names: Names;
  readonly facts: PackageFacts;
}

/**
 * Everything that syncs do, as rights. A package lets its users do nothing with what it does not bring, standard objects above all
 * (Second-Generation Managed Packaging Developer Guide, "Permission Sets and Profile Settings in Packages"): that is apart.
 */
export function grantAll(
  use: OrgUse,
  made: Made,
): { readonly packaged: Grants; readonly org: Grants; readonly notes: readonly string[] } {
  const all = new Granting(use, made);
  for (const object of use.objects.values()) all.object(object);
  for (const { name, received, writers } of use.events.values()) {
    const target = made.names.isOwn(name) ? all.packaged : all.org;
    if (received || writers.size > 0) target.object(made.names.local(name), { create: writers.size > 0 });
  }
  return { packaged: all.packaged, org: all.org, notes: all.notes };
}

class Granting {
  readonly packaged = new Grants();
  readonly org = new Grants();
  readonly notes: string[] = [];
  readonly #use: OrgUse;
  readonly #made: Made;

  constructor(use: OrgUse, made: Made) {
    this.#use = use;
    this.#made = made;
  }

  object(use: ObjectUse): void {
    const { names, facts } = this.#made;
    const made = this.#madeObject(use.name);
    const described = byName(facts.objects, use.name);
    const object = described?.name ?? use.name;
    const reads = use.readsAll || use.reads.size > 0 || use.live;
    if (!reads && use.writes.size === 0 && made?.made == null) return;
    const grant = { create: use.creates, edit: use.edits, delete: use.deletes, viewAll: reads };
    if (made?.made != null) this.packaged.object(names.local(use.name), grant);
    else if (isGranted(object)) {
      this.org.object(object, grant);
      for (const other of readWith(object)) this.org.object(other, {});
    } else
      this.notes.push(`${object} is let nobody see by a permission set: who may is told by other rights, such as View All Data`);
    for (const field of use.writes) this.#field(use.name, field, true);
    for (const field of use.reads) this.#field(use.name, field, false);
    for (const field of made?.fields.keys() ?? []) this.#field(use.name, field, false);
    if (!use.readsAll) return;
    if (described === undefined)
      this.notes.push(`all fields of ${object} are read, and the org did not tell which it has: add them to the permission set`);
    for (const { name } of described?.fields ?? []) this.#field(use.name, name, false);
  }

  #field(object: string, path: string, editable: boolean): void {
    const [head, ...rest] = path.split('.') as [string, ...string[]];
    if (rest.length > 0) {
      this.#parent(object, head, rest.join('.'));
      this.#field(object, /__r$/i.test(head) ? head.replace(/__r$/i, '__c') : `${head}Id`, editable);
      return;
    }
    const { names, facts } = this.#made;
    const made = this.#madeObject(object);
    const definition = byName(made?.fields, names.local(head));
    if (definition !== undefined) {
      // Everybody has to fill what is required, so that nobody can be kept from it.
      if (!definition.required) this.packaged.field(names.local(made!.name), names.local(head), editable);
      return;
    }
    const described = byName(facts.objects, object);
    const field = described?.fields.find(({ name }) => name.toLowerCase() === head.toLowerCase());
    const grantedAs = field === undefined ? this.#grantUnasked(object, head) : field.grantedAs;
    if (grantedAs !== null && isGranted(object))
      this.org.field(described?.name ?? object, grantedAs, editable && field?.writable !== false);
  }

  /** Without an org's word: of what is not standard, each is granted by itself. */
  #grantUnasked(object: string, field: string): string | null {
    return /__\w$/.test(field) ? field : standardGrant(object, field);
  }

  /** The object that a relationship leads to, as far as it can be told. */
  #parent(object: string, relationship: string, path: string): void {
    const field = relationship.replace(/__r$/i, '__c');
    const lookup = byName(this.#madeObject(object)?.fields, this.#made.names.local(field))?.object;
    const standard = /^(?:Owner|CreatedBy|LastModifiedBy)$/i.test(relationship) ? 'User' : relationship;
    const parent = lookup ?? (/__r$/i.test(relationship) ? undefined : /^Parent$/i.test(relationship) ? object : standard);
    if (parent === undefined) {
      this.notes.push(
        `${object}.${relationship}.${path} is read: which object that is in is told nowhere, so let its readers see it yourself`,
      );
      return;
    }
    if (isGranted(parent) && this.#madeObject(parent)?.made == null) this.org.object(parent, { viewAll: true });
    this.#field(this.#use.objects.get(parent.toLowerCase())?.name ?? parent, path, false);
  }

  #madeObject(name: string): MadeObject | undefined {
    const local = this.#made.names.local(name).toLowerCase();
    return this.#made.objects.find((each) => each.name.toLowerCase() === local);
  }
}
