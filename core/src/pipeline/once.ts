import type { Once } from '../model/user-modules.ts';
import type { FieldValue } from '../model/value.ts';
import type { Store } from '../store/store.ts';

/** Of one step of one sync: two of them may use the same keys. */
export function createOnce(store: Pick<Store, 'keepFirst' | 'keptFirst'>, scope: string): Once {
  return async <T extends FieldValue>(key: string, make: () => T | Promise<T>): Promise<T> => {
    const kept = await store.keptFirst(scope, key);
    if (kept !== null) return JSON.parse(kept) as T;
    const made = JSON.stringify(await make());
    if (made === undefined)
      throw new TypeError(`once(${JSON.stringify(key)}) made nothing that can be kept: return a value or null`);
    return JSON.parse(await store.keepFirst(scope, key, made)) as T;
  };
}
