/** A reference to an answer that is not there: the subrequest before it failed, or has no such value. */
export class MissingReferenceError extends Error {}

const reference = /@\{([A-Za-z0-9]\w*)((?:\.\w+|\[\d+\])*)\}/g;

/**
 * Puts values of earlier answers into a subrequest: `@{newAccount.id}`, `@{found.records[0].Id}`. A text that is nothing
 * but a reference becomes the value itself, so that a number stays a number.
 */
export function resolveReferences(value: unknown, answers: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') return resolveText(value, answers);
  if (Array.isArray(value)) return value.map((item) => resolveReferences(item, answers));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolveReferences(item, answers)]));
}

/** The names of the answers that a subrequest is built from. */
export function referencesOf({ url, body }: { url: string; body: unknown }): string[] {
  return [...`${url} ${JSON.stringify(body ?? null)}`.matchAll(reference)].map(([, name]) => name as string);
}

function resolveText(text: string, answers: ReadonlyMap<string, unknown>): unknown {
  const all = [...text.matchAll(reference)];
  const only = all.length === 1 && all[0]?.[0] === text ? all[0] : undefined;
  if (only) return valueAt(only[1] as string, only[2] as string, answers);
  return text.replaceAll(reference, (_, name: string, path: string) => String(valueAt(name, path, answers)));
}

function valueAt(name: string, path: string, answers: ReadonlyMap<string, unknown>): unknown {
  let value = answers.get(name);
  for (const [step] of path.matchAll(/\w+/g)) {
    value = value !== null && typeof value === 'object' ? (value as Record<string, unknown>)[step] : undefined;
  }
  if (value === undefined)
    throw new MissingReferenceError(`Invalid reference specified. No value for ${name}${path} found in ${name}`);
  return value;
}
