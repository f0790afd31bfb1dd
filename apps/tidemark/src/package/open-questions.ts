import type { FieldDefinition, PackageConfig, PackageQuestions } from '@tidemark/core';
import type { ChosenOrg } from './choose-org.ts';
import { byName, type Names } from './names.ts';
import type { OrgUse } from './org-use.ts';

/** What the configuration does not tell of an org's side; null when it tells all, and nobody has to be asked. */
export function openQuestions(
  org: ChosenOrg,
  { objects, events }: OrgUse,
  own: PackageConfig,
  names: Names,
): PackageQuestions | null {
  const untold = (said: ReadonlyMap<string, unknown> | undefined, fields: ReadonlySet<string>) =>
    [...fields].some((field) => names.isOwn(field) && byName(said, field) === undefined);
  const openObjects = [...objects.values()].filter(({ name, writes, writers, unkeyed, readsAll }) => {
    const said = saidFields(own.objects, name);
    const isUntold = said === undefined && [...writers].some(({ fields }) => fields === null);
    return readsAll || isUntold || unkeyed.size > 0 || untold(said, writes);
  });
  const openEvents = [...events.values()].filter(({ name, fields }) => {
    const said = saidFields(own.events, name);
    return names.isOwn(name) && (said === undefined || untold(said, fields));
  });
  if (openObjects.length + openEvents.length === 0) return null;
  const all = [...objects.values(), ...events.values()].map(({ name }) => name);
  const writers = [...openObjects, ...openEvents].flatMap((each) => [...each.writers]);
  return { connection: org.connection, objects: org.isMany ? [] : all, syncs: [...new Set(writers)] };
}

/** Fields that the configuration gives an object or an event; absent when it gives none. */
export function saidFields(said: PackageConfig['objects'], name: string): ReadonlyMap<string, FieldDefinition> | undefined {
  const fields = byName(said, name)?.fields;
  return fields === undefined || fields.size === 0 ? undefined : fields;
}
