import type { FieldMapping, SyncConfig } from './config.ts';

/** The source's field that arrives in the target under this name as it is; null when it is made on the way, or may be. */
export function originOf({ fields, steps }: Pick<SyncConfig, 'fields' | 'steps'>, name: string): string | null {
  let origin: string | null = through(fields, name);
  for (const step of steps.toReversed()) {
    if (origin === null || step.kind === 'run') return null;
    if (step.kind === 'map') origin = through(step.fields, origin);
    else if (step.kind === 'lookup' && step.fields.has(origin)) return null;
  }
  return origin;
}

/** What a mapping does not name is the key, which comes along. */
function through(mapping: ReadonlyMap<string, FieldMapping> | null, name: string): string | null {
  const from = mapping?.get(name);
  if (from === undefined) return name;
  return from.kind === 'field' ? from.field : null;
}
