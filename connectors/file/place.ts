import { extname, resolve } from 'node:path';
import { RequestRefusedError } from '@tidemark/core';

/** A file, and how it is written. */
export interface Place {
  readonly path: string;
  /** As the user wrote it, for messages. */
  readonly name: string;
  readonly format: 'csv' | 'jsonl';
  readonly delimiter: string;
}

const formats: { readonly [ending: string]: Place['format'] } = {
  '.csv': 'csv',
  '.tsv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
};

export const knownEndings = Object.keys(formats);

export function placeOf(
  folder: string,
  asked: { readonly file: string; readonly format?: Place['format'] | undefined; readonly delimiter?: string | undefined },
): Place {
  const ending = extname(asked.file).toLowerCase();
  const format = asked.format ?? formats[ending];
  if (format === undefined) {
    throw new RequestRefusedError(`${asked.file}: its format cannot be told from its name`, {
      hint: 'add format: csv or format: jsonl',
    });
  }
  const delimiter = asked.delimiter ?? (ending === '.tsv' ? '\t' : ',');
  return { path: resolve(folder, asked.file), name: asked.file, format, delimiter };
}
