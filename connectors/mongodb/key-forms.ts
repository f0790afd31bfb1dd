import { type FieldSchema, type FieldValue, textOf } from '@tidemark/core';
import { BSON, ObjectId } from 'mongodb';
import { type Decimals, toStored, ValueError } from './values.ts';

/** What a key may have been before it became a text. */
export function formsOf(key: string): unknown[] {
  const forms: unknown[] = [key];
  if (/^-?\d{1,15}$/.test(key)) forms.push(Number(key));
  else if (/^-?\d{1,19}$/.test(key)) forms.push(BSON.Long.fromString(key));
  if (/^[0-9a-f]{24}$/.test(key)) forms.push(new ObjectId(key));
  if (key === 'true' || key === 'false') forms.push(key === 'true');
  return forms;
}

/** What a document may hold that reads as this value. */
export function formsOfValue(field: FieldSchema, value: FieldValue, decimals: Decimals): unknown[] {
  const forms = formsOf(textOf(value)!);
  try {
    return [...forms, toStored(field, value, decimals)];
  } catch (error) {
    if (error instanceof ValueError) return forms;
    throw error;
  }
}
