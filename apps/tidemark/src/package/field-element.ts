import type { FieldDefinition } from '@tidemark/core';
import { labelOf } from './names.ts';
import type { Elements } from './xml.ts';

/** `<CustomField>` (Metadata API Developer Guide, "CustomField"). @param object  whose it is, as its file spells it */
export function fieldElements(object: string, name: string, field: FieldDefinition): Elements {
  const { type, description, externalId, unique } = field;
  const isLong = type === 'LongTextArea' || type === 'Html' || type === 'MultiselectPicklist';
  const takesRequired = !isLong && type !== 'Checkbox';
  return {
    fullName: name,
    ...(unique && type === 'Text' && { caseSensitive: false }),
    ...(type === 'Checkbox' && { defaultValue: false }),
    ...(type === 'Lookup' && { deleteConstraint: field.required ? 'Restrict' : 'SetNull' }),
    description,
    ...(externalId && { externalId }),
    label: field.label ?? labelOf(name),
    length: field.length,
    precision: field.precision,
    ...(type === 'Lookup' && {
      referenceTo: field.object,
      relationshipLabel: labelOf(object),
      relationshipName: relationshipName(object, name),
    }),
    ...(takesRequired && { required: field.required === true }),
    scale: field.scale,
    type,
    ...(unique && { unique }),
    ...(field.values === undefined ? {} : { valueSet: valueSet(field.values) }),
    ...(isLong && { visibleLines: type === 'MultiselectPicklist' ? 4 : type === 'Html' ? 25 : 3 }),
  };
}

/** What is not among the values is taken as well: a sync would lose it otherwise. */
function valueSet(values: readonly string[]): Elements {
  const value = values.map((each) => ({ fullName: each, default: false, label: each }));
  return { restricted: false, valueSetDefinition: { sorted: false, value } };
}

/** How a parent calls its children: by both names, so that two lookups to one object differ. */
function relationshipName(object: string, field: string): string {
  const base = (name: string) => name.replace(/__c$/, '');
  return `${base(object)}_${base(field)}`.replace(/_+/g, '_').slice(0, 40).replace(/_$/, '');
}
