import type { ChildLinks } from './declare.ts';
import type { ChildRelationship, ObjectDescribe } from './types.ts';

/** The survivor of a merge does not list the records that it took in. */
const unseen: ReadonlySet<string> = new Set(['MasterRecordId']);

/** Every reference to `parent`, seen from it, ordered by child and field as describe orders them. */
export function deriveChildRelationships(
  parent: string,
  objects: readonly { object: ObjectDescribe; links: ChildLinks }[],
): ChildRelationship[] {
  const relationships: ChildRelationship[] = [];
  for (const { object, links } of objects) {
    for (const field of object.fields) {
      if (!field.referenceTo.includes(parent) || unseen.has(field.name)) continue;
      const link = links[field.name];
      relationships.push({
        // A custom reference says itself what deleting its parent does; a standard one only here.
        cascadeDelete: link?.cascadeDelete ?? field.cascadeDelete,
        childSObject: object.name,
        deprecatedAndHidden: false,
        field: field.name,
        junctionIdListNames: [],
        junctionReferenceTo: [],
        relationshipName: link?.relationshipName ?? null,
        restrictedDelete: link?.restrictedDelete ?? field.restrictedDelete,
      });
    }
  }
  return relationships.sort((a, b) => compare(a.childSObject, b.childSObject) || compare(a.field, b.field));
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
