import { makeId } from '../../org/ids.ts';

/** Ids of things that the org knows by name alone: an id is made when it is first asked for, and stays. */
export interface ToolingIds {
  /** 18 characters. @param key  What tells the thing from others of its kind. */
  of(keyPrefix: string, key: string): string;
  /** What is made again under this name later is another. */
  forget(keyPrefix: string, key: string): void;
}

/** @param instance  Two characters that tell orgs apart. */
export function createToolingIds(instance: string): ToolingIds {
  const ids = new Map<string, string>();
  const made = new Map<string, number>();
  return {
    of(keyPrefix, key) {
      const known = ids.get(`${keyPrefix} ${key}`);
      if (known !== undefined) return known;
      const count = (made.get(keyPrefix) ?? 0) + 1;
      made.set(keyPrefix, count);
      const id = makeId(keyPrefix, instance, count);
      ids.set(`${keyPrefix} ${key}`, id);
      return id;
    },
    forget: (keyPrefix, key) => void ids.delete(`${keyPrefix} ${key}`),
  };
}
