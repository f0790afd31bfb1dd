import {
  type Change,
  type FieldSchema,
  type FieldValue,
  keyParts,
  newRow,
  type Rejection,
  RequestRefusedError,
  type Row,
  type TargetSpec,
  textOf,
} from '@tidemark/core';
import type { HttpTo } from './config.ts';
import { compilePath, type PathTemplate } from './path-template.ts';

/** Says of a record that it is gone, in a body that otherwise holds its key alone. */
export const TOMBSTONE = '_tidemark_deleted';

/** One change as it is sent. */
export interface Message {
  readonly method: string;
  readonly path: string;
  /** JSON of this one record; null when the request has no body. */
  readonly content: string | null;
}

/** How the changes of a sync are told to the system. */
export class Messages {
  /** Whether deletes are DELETE requests, or bodies like any other. */
  readonly #deleteRequests: boolean;
  readonly #spec: TargetSpec<HttpTo>;
  readonly #path: PathTemplate;
  readonly #deletePath: PathTemplate;

  /** @throws {RequestRefusedError} a path names a field that does not arrive, or that is not known of a deleted record. */
  constructor(spec: TargetSpec<HttpTo>) {
    const { to, deletes, schema } = spec;
    this.#spec = spec;
    this.#path = compilePath(to.path);
    this.#deletePath = compilePath(to.deletePath ?? to.path);
    const byDefault = to.batch === 1 && this.#deletePath.names.length > 0 ? 'request' : 'tombstone';
    this.#deleteRequests = deletes === 'mirror' && (to.deleteBy ?? byDefault) === 'request';
    const known = ['$key', ...schema.fields.map(({ name }) => name)];
    refuseUnknown('path', this.#path, known, 'use one of');
    if (deletes === 'ignore') return;
    const pathOfDeletes = this.#deleteRequests ? this.#deletePath : this.#path;
    const remedy = 'of a deleted record only its key is known: set deletePath, or deletes: ignore, or use one of';
    refuseUnknown(this.#deleteRequests ? 'the path of deletes' : 'path', pathOfDeletes, ['$key', ...schema.key], remedy);
  }

  of(change: Change): Message | { readonly refused: Rejection } {
    const gone = change.op === 'delete';
    const row = change.row ?? this.#tombstone(change.key);
    const deleting = gone && this.#deleteRequests;
    const filled = (deleting ? this.#deletePath : this.#path).fill((name) => (name === '$key' ? change.key : textOf(row[name])));
    if ('refused' in filled) return filled;
    const method = deleting ? 'DELETE' : this.#spec.to.method;
    return { method, path: filled.path, content: method === 'DELETE' ? null : this.#content(change, row) };
  }

  #content({ op, key }: Change, row: Row): string {
    const { to, schema } = this.#spec;
    if (to.body === 'change') return JSON.stringify({ op, key, row: op === 'delete' ? null : inOrder(row, schema.fields) });
    return JSON.stringify(op === 'delete' ? row : inOrder(row, schema.fields));
  }

  #tombstone(key: string): Row {
    const { schema } = this.#spec;
    const row = newRow();
    for (const [i, part] of keyParts(key, schema.key).entries()) {
      const name = schema.key[i]!;
      row[name] = partAsValue(
        part,
        schema.fields.find((field) => field.name === name),
      );
    }
    row[TOMBSTONE] = true;
    return row;
  }
}

/** The same fields in the same order each time, so that the same content is the same text. */
function inOrder(row: Row, fields: readonly FieldSchema[]): Row {
  const ordered = newRow();
  for (const { name } of fields) if (row[name] !== undefined) ordered[name] = row[name];
  return ordered;
}

/** A part of a key as the value that it is the text of. */
function partAsValue(part: string, field: FieldSchema | undefined): FieldValue {
  if (field?.type === 'integer') return Number(part);
  return field?.type === 'boolean' ? part === 'true' : part;
}

function refuseUnknown(where: string, { names }: PathTemplate, known: readonly string[], remedy: string): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RequestRefusedError(`${where}: there is no field ${unknown}`, { hint: `${remedy} ${known.join(', ')}` });
}
