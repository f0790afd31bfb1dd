/** Rights as a permission set has them (Metadata API Developer Guide, "PermissionSet"): what grants one that lacks. */

const byPackage = 'and `tidemark package` writes one';

type FieldRight = 'readable' | 'editable';
type ObjectRight = 'allowRead' | 'allowCreate' | 'allowEdit' | 'allowDelete' | 'viewAllRecords';

/** @param names  `Website`, or `Account.Website` of a parent */
export function fieldGrant(object: string, names: readonly string[], right: FieldRight): string {
  const entries = names.map((name) => {
    const at = name.lastIndexOf('.');
    return at < 0 ? `${object}.${name}` : `${name.slice(at + 1)} of the object that ${name.slice(0, at)} leads to`;
  });
  return `a permission set grants it by fieldPermissions ${entries.join(', ')}: ${right}, ${byPackage}`;
}

export function objectGrant(object: string, ...rights: readonly ObjectRight[]): string {
  return `a permission set grants it by objectPermissions ${object}: ${rights.join(', ')}, ${byPackage}`;
}
