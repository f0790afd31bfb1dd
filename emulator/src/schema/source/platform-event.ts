import type { ObjectDeclaration } from '../declare.ts';
import type { FieldDeclaration } from '../fields.ts';
import { platformEventObject } from '../platform-event.ts';
import type { CustomField } from './custom-field.ts';
import type { SourceNote } from './problems.ts';
import type { Element } from './xml.ts';

export interface PlatformEventSource {
  name: string;
  publishBehavior: 'afterCommit' | 'immediately';
}

const withoutEffect = ['deploymentStatus', 'description', 'gender', 'startsWith'];
const fieldTypes: ReadonlySet<string> = new Set(['string', 'textarea', 'boolean', 'double', 'date', 'datetime']);

/** The elements of a platform event's `<CustomObject>` (Metadata API guide, "CustomObject": `eventType`, `publishBehavior`). */
export function readPlatformEvent(
  element: Element,
  name: string,
  keyPrefix: string,
  fields: readonly FieldDeclaration[],
): { declaration: ObjectDeclaration; event: PlatformEventSource; notes: SourceNote[] } {
  const notes: SourceNote[] = [];
  const note = (child: string, message: string) =>
    notes.push({ file: element.file, element: `${element.path}.${child}`, message });
  const label = element.text('label') ?? name;
  const behavior = element.text('publishBehavior') ?? 'PublishImmediately';
  if (behavior !== 'PublishImmediately' && behavior !== 'PublishAfterCommit') {
    throw element.problem(
      'publishBehavior',
      `is ${JSON.stringify(behavior)}: PublishImmediately or PublishAfterCommit was expected`,
    );
  }
  if (element.text('eventType') === 'StandardVolume') note('eventType', 'is StandardVolume: taken for a high-volume event');
  for (const ignored of withoutEffect) element.has(ignored);
  element.has('fields');
  const declaration = platformEventObject({ name, label, plural: element.text('pluralLabel') ?? label }, keyPrefix, fields);
  for (const unknown of element.unread()) note(unknown, 'is not used here');
  const publishBehavior = behavior === 'PublishAfterCommit' ? 'afterCommit' : 'immediately';
  return { declaration, event: { name, publishBehavior }, notes };
}

/** Fields that a platform event may have; each other one is left out, and said to be. */
export function platformEventFields(fields: readonly CustomField[], notes: SourceNote[]): CustomField[] {
  return fields.filter(({ file, declarations }) => {
    const wrong = declarations.find(({ describe }) => !fieldTypes.has(describe.type) || describe.calculated);
    if (wrong)
      notes.push({ file, element: '', message: `platform events have no fields of type ${wrong.describe.type}: left out` });
    return !wrong;
  });
}
