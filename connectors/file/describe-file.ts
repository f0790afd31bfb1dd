import type { DatasetSchema, FieldSchema, FieldType, FieldValue, SourceSpec } from '@tidemark/core';
import { RequestRefusedError } from '@tidemark/core';
import type { FileFrom } from './config.ts';
import type { Place } from './place.ts';
import { type FilePosition, START } from './read-bytes.ts';
import { readCsvHeader } from './read-csv.ts';
import { readJsonLines } from './read-json-lines.ts';

/** What is known of a file before its records are read. */
export interface FileLayout {
  /** Names of a CSV file's columns, in their order; for JSON Lines empty. */
  readonly columns: readonly string[];
  /** Where the records begin. */
  readonly begin: FilePosition;
  readonly schema: DatasetSchema;
}

/**
 * A CSV file's fields are its header's, all of them text but those in `types`. JSON Lines are read through once, because any line may
 * have a field that no other has.
 * @throws {RequestRefusedError} a field that is asked for and not there.
 */
export async function describeFile(place: Place, spec: SourceSpec<FileFrom>, signal: AbortSignal): Promise<FileLayout> {
  const { from } = spec;
  const { columns, begin, found } =
    place.format === 'csv' ? await describeCsv(place, from) : await describeJsonLines(place, signal);
  const key = [from.key].flat();
  const always = from.watermark === undefined ? key : [...key, from.watermark];
  const typed = Object.keys(from.types);
  if (found.size > 0) {
    // A column is there or not; a member may be in lines that are yet to come, and naming its type announces it.
    const missing = [...always, ...(spec.fields ?? []), ...typed].find(
      (name) => !found.has(name) && (place.format === 'csv' || !typed.includes(name)),
    );
    if (missing !== undefined) {
      throw new RequestRefusedError(`${place.name} has no field ${missing}`, { hint: `it has ${[...found.keys()].join(', ')}` });
    }
  }
  const types = new Map<string, FieldType>([...found, ...Object.entries(from.types)]);
  if (from.watermark !== undefined) types.set(from.watermark, 'datetime');
  // An empty file is an empty dataset, with the fields that the user names.
  const names = new Set([...found.keys(), ...always, ...(found.size > 0 ? [] : (spec.fields ?? [])), ...typed]);
  const wanted = (name: string) =>
    always.includes(name) || (!spec.exclude.includes(name) && (spec.fields?.includes(name) ?? true));
  const fields = [...names]
    .filter(wanted)
    .map((name): FieldSchema => ({ name, type: types.get(name) ?? 'text', nullable: !key.includes(name) }));
  return { columns, begin, schema: { name: place.name, fields, key } };
}

type Found = { columns: readonly string[]; begin: FilePosition; found: ReadonlyMap<string, FieldType> };

async function describeCsv(place: Place, { columns }: FileFrom): Promise<Found> {
  const header = columns === undefined ? await readCsvHeader(place) : { columns, next: START };
  const names = header?.columns ?? [];
  return { columns: names, begin: header?.next ?? START, found: new Map(names.map((name) => [name, 'text'])) };
}

async function describeJsonLines(place: Place, signal: AbortSignal): Promise<Found> {
  const found = new Map<string, FieldType | null>();
  for await (const { values } of readJsonLines(place, START, signal)) {
    for (const [name, value] of values) {
      const [type, known] = [typeOf(value), found.get(name) ?? null];
      found.set(name, known === null || type === null ? (known ?? type) : common(known, type));
    }
  }
  return { columns: [], begin: START, found: new Map([...found].map(([name, type]) => [name, type ?? 'text'])) };
}

function typeOf(value: FieldValue): FieldType | null {
  if (value === null) return null;
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'decimal';
  return typeof value === 'string' ? 'text' : 'json';
}

function common(a: FieldType, b: FieldType): FieldType {
  if (a === b) return a;
  if ([a, b].every((type) => type === 'integer' || type === 'decimal')) return 'decimal';
  return a === 'json' || b === 'json' ? 'json' : 'text';
}
