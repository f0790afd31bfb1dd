import { columnNames, type DatasetSchema } from '@tidemark/core';

/** Names in a document are as long as anybody wants; an index takes up to so much. */
const BYTES_MAX = 120;

/** Where each field is kept in a document. `known` is where it was before. */
export function placesOf(schema: DatasetSchema, known: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const fields = schema.fields.map((field) => ({ ...field, name: withoutOperators(field.name) }));
  const before = new Map([...known].map(([name, place]) => [withoutOperators(name), place]));
  const places = columnNames(fields, {
    fold: 'keep',
    bytesMax: BYTES_MAX,
    reserved: ['_id'],
    existing: [...known.values()],
    known: before,
  });
  return new Map(schema.fields.map(({ name }) => [name, places.get(withoutOperators(name))!]));
}

/** `$` begins an operator and `.` parts a path: each becomes the wide letter that MongoDB's own manual once named for this. */
function withoutOperators(name: string): string {
  return name.replace(/^\$/, '＄').replaceAll('.', '．');
}
