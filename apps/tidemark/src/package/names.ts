/** Names of an org as a package has them. */
export class Names {
  readonly #namespace: string | null;

  constructor(namespace: string | null) {
    this.#namespace = namespace === null ? null : namespace.toLowerCase();
  }

  /** Made by this package, and not standard or another package's: `Rating__c`, `acme__Rating__c`. */
  isOwn(name: string): boolean {
    const parts = name.split('__');
    if (!/^[ce]$/.test(parts.at(-1)!)) return false;
    return parts.length === 2 || (parts.length === 3 && parts[0]!.toLowerCase() === this.#namespace);
  }

  /** As its files spell it: whose it is follows from the package. */
  local(name: string): string {
    const parts = name.split('__');
    return parts.length === 3 && parts[0]!.toLowerCase() === this.#namespace ? parts.slice(1).join('__') : name;
  }
}

/** `Record_Ids__c` as people read it: `Record Ids`. */
export function labelOf(name: string): string {
  return name
    .replace(/__[ce]$/, '')
    .replaceAll('_', ' ')
    .slice(0, 40);
}

export function pluralOf(label: string): string {
  if (/[^aeiou]y$/i.test(label)) return `${label.slice(0, -1)}ies`;
  return /(s|x|ch|sh)$/i.test(label) ? `${label}es` : `${label}s`;
}

/** `Acme Sync 2.0` as API names are written: `Acme_Sync_2_0`. */
export function developerName(name: string): string {
  return name.replace(/\W+/g, '_').replace(/_+/g, '_').replace(/_$/, '');
}

/** Names of an org know no capitals. */
export function byName<Value>(map: ReadonlyMap<string, Value> | undefined, name: string): Value | undefined {
  const folded = name.toLowerCase();
  return [...(map ?? [])].find(([each]) => each.toLowerCase() === folded)?.[1];
}
