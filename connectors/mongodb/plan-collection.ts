import type { DatasetSchema, SchemaChange } from '@tidemark/core';
import type { Document } from 'mongodb';

/** A field as it was when a sync last wrote the collection. */
export interface KnownField {
  readonly name: string;
  readonly place: string;
  readonly type: string;
}

/** A collection as a sync left it. */
export interface KnownCollection {
  readonly fields: readonly KnownField[];
  /** Which one it was, of all that ever had its name; absent when none had come to be. */
  readonly id?: string;
}

/** A collection as the server has it. */
export interface FoundCollection {
  readonly id: string;
  /** Null: it takes any document. */
  readonly validator: Document | null;
  /** First fields of its indexes. */
  readonly indexed: ReadonlySet<string>;
}

export interface WantedCollection {
  readonly name: string;
  readonly schema: DatasetSchema;
  readonly places: ReadonlyMap<string, string>;
  /** Places that shall have an index. */
  readonly indexed: readonly string[];
  /** Null when none is wished for: then what there is stays. */
  readonly validator: Document | null;
}

/**
 * What has to be done so that a collection can take the dataset: in words, and as mongosh takes it.
 *
 * @param known  null: no sync has written it
 * @param found  null: it is not there. It comes with its first documents, and once that is known nothing is lacking
 */
export function planCollection(
  wanted: WantedCollection,
  known: KnownCollection | null,
  found: FoundCollection | null,
): SchemaChange[] {
  const { name, schema } = wanted;
  // The server makes one that was dropped again for whoever writes next: it has the name, and holds nothing of what was written before.
  const isGone = known?.id !== undefined && known.id !== found?.id;
  const anew = isGone ? ' anew: the one that was written before is gone' : '';
  const first: SchemaChange[] =
    known === null || isGone
      ? [{ summary: `write the collection ${name}, ${schema.fields.length} fields${anew}`, isNew: true }]
      : drift(wanted, known.fields);
  if (known !== null && found === null) return first;
  return [...first, ...validation(wanted, found), ...indexes(wanted, found)];
}

function drift({ name, schema, places }: WantedCollection, known: readonly KnownField[]): SchemaChange[] {
  const before = new Map(known.map((field) => [field.name, field]));
  const arriving = schema.fields.flatMap((field): SchemaChange[] => {
    const was = before.get(field.name);
    if (was === undefined)
      return [{ summary: `documents of ${name} get the field ${places.get(field.name)}`, newField: field.name }];
    if (was.type === field.type) return [];
    return [
      {
        summary: `${was.place} of ${name} changes from ${was.type} to ${field.type}: a full run writes it anew`,
        informational: true,
      },
    ];
  });
  const gone = known.filter((field) => !schema.fields.some((each) => each.name === field.name));
  return [
    ...arriving,
    ...gone.map((field) => ({ summary: `field ${field.name} no longer arrives; ${field.place} is kept`, informational: true })),
  ];
}

function validation({ name, validator }: WantedCollection, found: FoundCollection | null): SchemaChange[] {
  if (validator === null || JSON.stringify(found?.validator) === JSON.stringify(validator)) return [];
  const rule = JSON.stringify(validator, null, 2);
  const fields = Object.keys(validator.$jsonSchema.properties).length;
  const statement =
    found === null
      ? `db.createCollection(${JSON.stringify(name)}, { validator: ${rule} })`
      : `db.runCommand({ collMod: ${JSON.stringify(name)}, validator: ${rule} })`;
  const summary = `${found?.validator == null ? 'a validator' : 'another validator'} for ${fields} fields of ${name}`;
  return [{ summary, statement, language: 'mongosh' }];
}

function indexes({ name, indexed }: WantedCollection, found: FoundCollection | null): SchemaChange[] {
  return indexed
    .filter((place) => found?.indexed.has(place) !== true)
    .map((place) => ({
      summary: `index ${place} of ${name}`,
      statement: `db.getCollection(${JSON.stringify(name)}).createIndex({ ${JSON.stringify(place)}: 1 })`,
      language: 'mongosh',
    }));
}
