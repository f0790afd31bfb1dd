import { BSON, ObjectId } from 'mongodb';

/** What a key may have been before it became a text. */
export function formsOf(key: string): unknown[] {
  const forms: unknown[] = [key];
  if (/^-?\d{1,15}$/.test(key)) forms.push(Number(key));
  else if (/^-?\d{1,19}$/.test(key)) forms.push(BSON.Long.fromString(key));
  if (/^[0-9a-f]{24}$/.test(key)) forms.push(new ObjectId(key));
  if (key === 'true' || key === 'false') forms.push(key === 'true');
  return forms;
}
