import type { SyncConfig } from './config.ts';

/**
 * The source's fields that a sync needs, or null for all of them. Told without asking the source, so that it reads no more.
 * Key and stamp come along anyway.
 */
export function fieldsToRead(sync: Pick<SyncConfig, 'steps' | 'fields'>): readonly string[] | null {
  const names = new Set<string>();
  let mapped = false;
  for (const step of sync.steps) {
    if (step.kind === 'run') {
      // The user's function may look at anything, unless it is told what it gets.
      if (step.reads === null) return null;
      if (!mapped) for (const name of step.reads) names.add(name);
      mapped = true;
    } else if (step.kind === 'filter') {
      if (step.reads === null) return null;
      if (!mapped) for (const name of step.reads) names.add(name);
    } else {
      if (!mapped && !addReads(step.fields, names)) return null;
      mapped = true;
    }
  }
  if (mapped) return [...names];
  if (sync.fields === null) return null;
  return addReads(sync.fields, names) ? [...names] : null;
}

function addReads(fields: NonNullable<SyncConfig['fields']>, names: Set<string>): boolean {
  for (const mapping of fields.values()) {
    if (mapping.kind === 'field') names.add(mapping.field);
    else if (mapping.reads === null) return false;
    else for (const name of mapping.reads) names.add(name);
  }
  return true;
}
