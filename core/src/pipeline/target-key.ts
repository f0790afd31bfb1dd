import type { Problem } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Source } from '../model/connector.ts';
import type { DatasetSchema } from '../model/schema.ts';

/**
 * Whether `to.key` is another identity than the source's: then a record of the target need not stand for one of the source.
 * Of events it is only when a function may make several records of one; else they are keyed before the first step.
 */
export function hasOwnKey(
  { to, steps, fields }: SyncConfig,
  { schema, eventsOnly }: Pick<Source, 'schema' | 'eventsOnly'>,
): boolean {
  if (to.key === null) return false;
  if (eventsOnly !== undefined) return steps.some(({ kind }) => kind === 'run');
  const mappings = [...steps.flatMap((step) => (step.kind === 'map' ? [step.fields] : [])), ...(fields === null ? [] : [fields])];
  const names = schema.key.map((key) =>
    mappings.reduce((name, mapping) => {
      const kept = [...mapping].flatMap(([field, from]) =>
        from.kind === 'field' && from.field.toLowerCase() === name.toLowerCase() ? [field] : [],
      );
      // As the last mapping does it: where a field goes by several names, the one that is asked for.
      const wanted = mapping === fields ? kept.find((field) => to.key!.includes(field)) : undefined;
      return wanted ?? kept[0] ?? name;
    }, key),
  );
  return to.key.join('\n') !== names.join('\n');
}

/** What reaches the target, by the target's own key. */
export function withOwnKey(sync: SyncConfig, schema: DatasetSchema, open: boolean, problems: Problem[]): DatasetSchema {
  const key = sync.to.key!;
  const problem = (place: string, message: string, hint: string) =>
    problems.push({ place: `syncs.${sync.name}.${place}`, message, hint, severity: 'error' });
  const fields = [...schema.fields];
  for (const name of key) {
    if (fields.some((field) => field.name === name)) continue;
    if (open && sync.fields === null) fields.push({ name, type: 'text', nullable: false, spelled: true });
    else problem('to.key', `${name} does not reach the target`, `map ${name} in fields:, or let a step make it`);
  }
  const hint = 'or let the key be what identifies a record in the source';
  if (sync.deletes !== 'ignore') {
    problem(
      'to.key',
      'is another key than the source has, and what is deleted there is told by that one alone',
      `write deletes: ignore, ${hint}`,
    );
  }
  if (sync.live && sync.channel === null) {
    problem('to.key', 'is another key than the source has, which a live sync cannot follow', `leave live: out, ${hint}`);
  }
  return { ...schema, fields, key };
}
