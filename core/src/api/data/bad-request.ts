import { RequestRefusedError } from '../../base/errors.ts';
import { didYouMean } from '../../config/did-you-mean.ts';
import type { Rows, RowsField } from '../../model/rows.ts';
import { NotFoundError, StatedError } from '../v1/refuse.ts';

const NAMES_SHOWN = 40;

/** What was asked for makes no sense: where, and what would. */
export function badRequest(place: string, message: string, hint: string): StatedError {
  return new StatedError(400, 'bad_request', `${place}: ${message}`, hint);
}

/** @throws {StatedError} the table has no such field: names it, and what it has */
export function fieldNamed(name: string, place: string, { schema }: Rows): RowsField {
  const field = schema.fields.find((each) => each.name === name);
  if (field !== undefined) return field;
  const names = schema.fields.map((each) => each.name);
  const meant = didYouMean(name, names);
  const shown = names.length > NAMES_SHOWN ? [...names.slice(0, NAMES_SHOWN), '…'] : names;
  const hint = meant === null ? `it has ${shown.join(', ')}` : `did you mean ${meant}?`;
  throw badRequest(place, `${schema.name} has no field ${JSON.stringify(name.slice(0, 80))}`, hint);
}

/** What only the database itself can tell of a value: that it is none. */
export async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isOurs = error instanceof StatedError || error instanceof NotFoundError;
    if (isOurs || !(error instanceof RequestRefusedError)) throw error;
    throw new StatedError(400, 'bad_request', error.message, error.hint ?? 'see /api-docs for what this takes');
  }
}
