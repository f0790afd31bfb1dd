const known = new Map<string, WeakRef<object>>();
const gone = new FinalizationRegistry<string>((name) => {
  // Another one may have taken its place by now.
  if (known.get(name)?.deref() === undefined) known.delete(name);
});

/**
 * What is the same for many orgs, once: made by the first who wants it, and kept for as long as somebody uses it. For what nobody
 * changes.
 */
export function sharedBy<T extends object>(name: string, make: () => T): T {
  const first = known.get(name)?.deref();
  if (first !== undefined) return first as T;
  const made = make();
  known.set(name, new WeakRef(made));
  gone.register(made, name);
  return made;
}

/** The first of all values that are equal to this one. */
export function shared<T extends object>(value: T): T {
  return sharedBy(JSON.stringify(value), () => value);
}
