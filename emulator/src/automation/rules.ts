import type { Org } from '../org/types.ts';

/** Rules by name, in the order of their definition; one that is defined anew takes the place of the former. */
export interface RuleSet<Rule> {
  put(name: string, rule: Rule): void;
  remove(name: string): boolean;
  readonly all: readonly Rule[];
  of(object: string): readonly Rule[];
}

export function createRuleSet<Rule extends { readonly object: string }>(): RuleSet<Rule> {
  const byName = new Map<string, Rule>();
  let byObject = new Map<string, Rule[]>();
  const changed = () => {
    byObject = Map.groupBy(byName.values(), ({ object }) => object);
  };
  return {
    put(name, rule) {
      byName.set(name, rule);
      changed();
    },
    remove(name) {
      const had = byName.delete(name);
      changed();
      return had;
    },
    get all() {
      return [...byName.values()];
    },
    of: (object) => byObject.get(object) ?? [],
  };
}

/** The object's name as the schema spells it. @throws {TypeError} */
export function requireObject(org: Org, name: string): string {
  const object = org.schema.object(name);
  if (!object) throw new TypeError(`there is no object '${name}'`);
  return object.name;
}
