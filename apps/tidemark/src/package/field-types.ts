import type { FieldDefinition, FieldSchema } from '@tidemark/core';

/** A field that holds what comes; null when that has no form of its own there. */
export function definitionFor({ type, length, precision, scale }: FieldSchema): FieldDefinition | null {
  switch (type) {
    case 'text':
      if (length === undefined) return null;
      return length <= 255 ? { type: 'Text', length } : { type: 'LongTextArea', length: Math.min(length, 131_072) };
    case 'boolean':
      return { type: 'Checkbox' };
    case 'integer':
      return { type: 'Number', precision: 18, scale: 0 };
    case 'decimal':
      if (precision === undefined || scale === undefined || precision > 18) return null;
      return { type: 'Number', precision, scale };
    case 'date':
      return { type: 'Date' };
    case 'datetime':
      return { type: 'DateTime' };
    case 'time':
      return { type: 'Time' };
    default:
      return null;
  }
}

/** By what records may be found (Metadata API Developer Guide, "CustomField", externalId). */
export const canBeKey = ({ type }: FieldDefinition): boolean => type === 'Text' || type === 'Number' || type === 'Email';
