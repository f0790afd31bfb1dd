import type { LookupConfig, SyncConfig } from './config.ts';

/**
 * The source's fields that a sync needs, or null for all of them. Told without asking the source, so that it reads no more.
 * Key and stamp come along anyway.
 */
export function fieldsToRead(sync: Pick<SyncConfig, 'steps' | 'fields'>): readonly string[] | null {
  const names = new Set<string>();
  /** Fields that lookups bring, folded: they are not the source's. */
  const found = new Set<string>();
  let mapped = false;
  for (const step of sync.steps) {
    if (step.kind === 'run') {
      // The user's function may look at anything, unless it is told what it gets.
      if (step.reads === null) return null;
      if (!mapped) for (const name of step.reads) if (!found.has(name.toLowerCase())) names.add(name);
      mapped = true;
    } else if (step.kind === 'filter') {
      if (step.reads === null) return null;
      if (!mapped) for (const name of step.reads) if (!found.has(name.toLowerCase())) names.add(name);
    } else if (step.kind === 'lookup') {
      const reads = lookupReads(step);
      if (reads === null) return null;
      if (!mapped) for (const name of reads) if (!found.has(name.toLowerCase())) names.add(name);
      for (const name of step.fields.keys()) found.add(name.toLowerCase());
    } else {
      if (!mapped && !addReads(step.fields, names, found)) return null;
      mapped = true;
    }
  }
  if (mapped) return [...names];
  if (sync.fields === null) return null;
  return addReads(sync.fields, names, found) ? [...names] : null;
}

function lookupReads({ by, match }: LookupConfig): readonly string[] | null {
  const reads = by.kind === 'field' ? [by.field] : by.reads;
  return reads === null ? null : [...reads, ...(match?.record ?? [])];
}

function addReads(fields: NonNullable<SyncConfig['fields']>, names: Set<string>, found: ReadonlySet<string>): boolean {
  for (const mapping of fields.values()) {
    const reads = mapping.kind === 'field' ? [mapping.field] : mapping.reads;
    if (reads === null) return false;
    for (const name of reads) if (!found.has(name.toLowerCase())) names.add(name);
  }
  return true;
}
