import { asSalesforceError } from '../http/errors.ts';
import { type Org, SalesforceError, type Transaction, type Values, type WriteOutcome } from '../org/types.ts';
import type { FieldDescribe, ObjectDescribe } from '../schema/types.ts';
import type { RowPlan } from './header.ts';
import type { IngestJob } from './ingest-types.ts';
import type { UploadedRow } from './parse-rows.ts';

/** A value that means "set to null"; an empty one means "leave alone" (Bulk API 2.0 Developer Guide, "Valid CSV Record Rows"). */
const nullValue = '#N/A';
/** Salesforce Developer Limits and Allocations, "Bulk API Limits". */
const fieldCharactersMax = 131_072;
const recordCharactersMax = 400_000;

/** What became of one row. */
export type RowOutcome = { id: string; created: boolean } | { id: string; error: string };

/**
 * Writes rows in one transaction, as the server does with 200 at a time. What one row is refused for does not touch the
 * others.
 *
 * @param refuse  Asked before each row: an error that it is to fail with, for faults.
 */
export function writeRows(
  rows: readonly UploadedRow[],
  plan: RowPlan,
  job: IngestJob,
  object: ObjectDescribe,
  org: Org,
  refuse: () => SalesforceError | undefined,
): RowOutcome[] {
  const transaction = org.begin(job.writes);
  const repeated = repeatedKeys(rows, plan);
  const describeError = (error: unknown, row: UploadedRow) => errorText(inBulkWords(asSalesforceError(error), row, plan, object));
  const idOf = (row: UploadedRow) => (plan.idColumn < 0 ? '' : (row.cells[plan.idColumn] ?? ''));
  const outcomes: RowOutcome[] = rows.map((row) => {
    try {
      const refused = refuse();
      if (refused) throw refused;
      const { id, created } = writeRow(transaction, row, plan, job, repeated);
      return { id, created };
    } catch (error) {
      return { id: idOf(row), error: describeError(error, row) };
    }
  });
  try {
    transaction.commit();
    return outcomes;
  } catch (error) {
    // Nothing of a transaction that cannot be committed is there.
    return outcomes.map((outcome, index) => {
      if ('error' in outcome) return outcome;
      const row = rows[index]!;
      return { id: idOf(row), error: describeError(error, row) };
    });
  }
}

function writeRow(
  transaction: Transaction,
  row: UploadedRow,
  plan: RowPlan,
  job: IngestJob,
  repeated: ReadonlySet<string>,
): WriteOutcome {
  checkShape(row, plan);
  const { operation, object } = job;
  const id = plan.idColumn < 0 ? '' : row.cells[plan.idColumn]!;
  switch (operation) {
    case 'insert':
      return transaction.insert(object, valuesOf(row, plan));
    case 'update':
      requireIdOf(id, 'update');
      return transaction.update(object, id, valuesOf(row, plan));
    case 'upsert':
      return upsert(transaction, row, plan, object, repeated);
    case 'delete':
      requireIdOf(id, 'delete');
      return transaction.delete(object, id);
    case 'hardDelete': {
      requireIdOf(id, 'delete');
      const outcome = transaction.delete(object, id);
      transaction.purge(object, [outcome.id]);
      return outcome;
    }
  }
}

function checkShape(row: UploadedRow, plan: RowPlan): void {
  if (row.malformed !== undefined) throw new SalesforceError('ClientInputError', row.malformed);
  if (row.cells.length !== plan.header.length) {
    const message = `Failed to parse CSV. The row has ${row.cells.length} fields, the header has ${plan.header.length}`;
    throw new SalesforceError('ClientInputError', message);
  }
}

function requireIdOf(id: string, call: string): void {
  if (id === '') throw new SalesforceError('MISSING_ARGUMENT', `Id not specified in an ${call} call`, { fields: ['Id'] });
}

function upsert(
  transaction: Transaction,
  { cells }: UploadedRow,
  plan: RowPlan,
  object: string,
  repeated: ReadonlySet<string>,
): WriteOutcome {
  const field = plan.keyField!;
  const key = cells[plan.keyColumn]!;
  const values = valuesOf({ cells }, plan);
  if (key === '' || key === nullValue) {
    if (field.type === 'id') return transaction.insert(object, values);
    throw new SalesforceError('MISSING_ARGUMENT', `${field.name} not specified`, { fields: [field.name] });
  }
  if (repeated.has(keyText(key, field))) {
    throw new SalesforceError('DUPLICATE_VALUE', `Duplicate external id specified: ${key}`, { fields: [field.name] });
  }
  return transaction.upsert(object, field.name, key, values);
}

function valuesOf({ cells }: Pick<UploadedRow, 'cells'>, { columns }: RowPlan): Values {
  const values: Values = {};
  let characters = 0;
  for (const { index, name } of columns) {
    const cell = cells[index]!;
    if (cell === '') continue;
    characters += cell.length;
    if (cell.length > fieldCharactersMax) throw tooLong('field', fieldCharactersMax, name);
    if (characters > recordCharactersMax) throw tooLong('record', recordCharactersMax, name);
    values[name] = cell === nullValue ? null : cell;
  }
  return values;
}

const tooLong = (what: string, max: number, name: string) =>
  new SalesforceError('ClientInputError', `Failed to parse CSV. Exceeded max ${what} length: ${max}`, { fields: [name] });

const none: ReadonlySet<string> = new Set();

/** External ids that stand more than once among rows that are written together: none of those rows is written. */
function repeatedKeys(rows: readonly UploadedRow[], { keyColumn, keyField }: RowPlan): ReadonlySet<string> {
  if (!keyField) return none;
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { cells } of rows) {
    const key = keyText(cells[keyColumn] ?? '', keyField);
    if (seen.has(key)) repeated.add(key);
    seen.add(key);
  }
  return repeated;
}

const keyText = (key: string, { caseSensitive }: FieldDescribe) => (caseSensitive ? key : key.toLowerCase());

/**
 * REST tells of a value of the wrong type in terms of JSON; Bulk has its own words (recorded: a CloseDate that is none).
 */
function inBulkWords(error: SalesforceError, row: UploadedRow, plan: RowPlan, object: ObjectDescribe): SalesforceError {
  const name = error.fields[0];
  if (error.errorCode !== 'JSON_PARSER_ERROR' || name === undefined) return error;
  const column = plan.columns.find((candidate) => candidate.name === name);
  const soapType = object.fields.find((field) => field.name === name)?.soapType;
  if (!column || soapType === undefined) return error;
  const message = `Failed to deserialize field at col ${column.index}. Due to, '${row.cells[column.index]}' is not a valid value for the type ${soapType}`;
  return new SalesforceError('INVALID_FIELD', message, { fields: [name] });
}

/** `CODE:message:fields --` (Bulk API 2.0 Developer Guide, "Get Job Failed Record Results"; the blank as recorded). */
function errorText({ errorCode, message, fields }: SalesforceError): string {
  return `${errorCode}:${message}:${fields.length > 0 ? `${fields.join(',')} ` : ''}--`;
}
