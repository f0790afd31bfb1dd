import { declareObject, type ObjectDeclaration } from './declare.ts';
import {
  checkbox,
  custom,
  date,
  datetime,
  double,
  type FieldDeclaration,
  reference,
  required,
  system,
  text,
  textarea,
} from './fields.ts';
import { nextKeyPrefix } from './key-prefix.ts';
import type { Schema } from './types.ts';

/** A field as platform events may have them: there are no others (Platform Events guide, "Platform Event Fields"). */
export interface PlatformFieldSpec {
  name: string;
  label?: string;
  type: 'text' | 'longtext' | 'number' | 'checkbox' | 'date' | 'datetime';
  length?: number;
  precision?: number;
  scale?: number;
  required?: boolean;
}

export const isPlatformEvent = (name: string): boolean => name.endsWith('__e');

/** Adds a platform event to the schema, or fields to one. */
export function declarePlatformEvent(
  schema: Schema,
  event: { name: string; label?: string; fields: readonly PlatformFieldSpec[] },
): void {
  const keyPrefix = schema.object(event.name)?.keyPrefix ?? nextKeyPrefix(schema, 'e');
  const { object, links } = platformEventObject(event, keyPrefix, event.fields.map(fieldOf));
  schema.add(object, links);
}

/**
 * A platform event as describe shows it: an object that is created, which publishes it, and never read. Whoever sees the event sees
 * all of its fields (Platform Events guide, "Considerations for Defining Platform Events", field-level security).
 */
export function platformEventObject(
  event: { name: string; label?: string; plural?: string },
  keyPrefix: string,
  fields: readonly FieldDeclaration[],
): ObjectDeclaration {
  const label = event.label ?? event.name.replace(/__e$/, '').replaceAll('_', ' ');
  return declareObject(
    event.name,
    {
      label,
      plural: event.plural ?? label,
      keyPrefix,
      custom: true,
      without: [
        ...(['updateable', 'deletable', 'queryable', 'retrieveable', 'searchable', 'replicateable', 'undeletable'] as const),
        ...(['layoutable', 'feedEnabled', 'mruEnabled'] as const),
      ],
    },
    [
      text('ReplayId', 'Replay ID', 1000, system),
      datetime('CreatedDate', 'Created Date', system, { nillable: false }),
      reference('CreatedById', 'Created By ID', 'User', {}, system, { nillable: false, searchPrefilterable: false }),
      text('EventUuid', 'Event UUID', 36, system),
      ...fields.map(({ describe, ...field }) => ({ ...field, describe: { ...describe, permissionable: false } })),
    ],
  );
}

function fieldOf(spec: PlatformFieldSpec): FieldDeclaration {
  const { name, type } = spec;
  if (!/^[A-Za-z]\w*__c$/.test(name)) throw new TypeError(`a platform event's field ends with __c: '${name}'`);
  const label = spec.label ?? name.replace(/__c$/, '').replaceAll('_', ' ');
  const changes = [custom, ...(spec.required ? [required] : [])];
  switch (type) {
    case 'text':
      return text(name, label, spec.length ?? 255, ...changes);
    case 'longtext':
      return textarea(name, label, spec.length ?? 32_768, ...changes);
    case 'number':
      return double(name, label, spec.precision ?? 18, spec.scale ?? 0, ...changes);
    case 'checkbox':
      return checkbox(name, label, custom);
    case 'date':
      return date(name, label, ...changes);
    case 'datetime':
      return datetime(name, label, ...changes);
    default:
      throw new TypeError(`a platform event cannot have a field of type '${type as string}'`);
  }
}
