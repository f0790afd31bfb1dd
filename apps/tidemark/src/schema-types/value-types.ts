import type { FieldSchema, FieldType, TargetField } from '@tidemark/core';

/** A text longer than this is one that people read, and not one that they look for. */
const LONG_TEXT = 255;

/** How values are spelled, of types whose TypeScript type does not tell. As `FieldValue` has them. */
const spellings: Readonly<Partial<Record<FieldType, string>>> = {
  decimal: 'A number, or its text where a number would lose digits.',
  date: 'As 2024-05-22.',
  datetime: 'As 2024-05-22T13:05:09.000Z, in UTC.',
  time: 'As 13:05:09.000.',
  bytes: 'In base64.',
};

/** What is to be known of a field besides its type, one sentence each. */
export function describe({ schema, origin, isKey, details, name }: TargetField): string[] {
  const source = origin === null ? 'Made by the sync' : details?.label === undefined ? origin : `${details.label} (${origin})`;
  const says: (string | false | undefined)[] = [
    origin === name && details === null ? false : `${source}.`,
    details?.help && sentence(details.help),
    isKey && 'Identifies the row.',
    details?.calculated && 'Worked out by the source.',
    details?.references && `The Id of ${anyOf(details.references)}.`,
    choices(details?.values),
    longText(schema),
    spellings[schema.type],
  ];
  return says.filter((each) => typeof each === 'string' && each !== '') as string[];
}

function choices(values: NonNullable<TargetField['details']>['values']): string | undefined {
  if (values === undefined) return undefined;
  if (values.separator !== undefined) {
    const only = values.closed ? 'only these' : 'others may occur';
    return `Any number of ${values.values.map((value) => JSON.stringify(value)).join(', ')} (${only}), with ${values.separator} between them.`;
  }
  return values.closed ? 'No other value is taken; rows may still hold one that has been retired.' : 'Other values may occur.';
}

function longText({ type, length }: FieldSchema): string | undefined {
  return type === 'text' && length !== undefined && length > LONG_TEXT ? `Up to ${length} characters.` : undefined;
}

function sentence(text: string): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  return /[.!?…]$/.test(oneLine) ? oneLine : `${oneLine}.`;
}

function anyOf(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** `order_items` → `OrderItems`: as a type is called. */
export function typeName(sync: string): string {
  const words = sync.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const name = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
  return /^[A-Z]/.test(name) ? name : `Sync${name}`;
}

/** Different syncs may come to one name: then all but the first get a number. */
export function typeNames(syncs: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const sync of syncs) {
    const wanted = typeName(sync);
    let name = wanted;
    for (let n = 2; taken.has(name) || taken.has(`${name}Version`); n++) name = `${wanted}${n}`;
    for (const each of [name, `${name}Version`]) taken.add(each);
    names.set(sync, name);
  }
  return names;
}
