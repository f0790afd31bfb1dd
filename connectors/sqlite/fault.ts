import { statSync } from 'node:fs';

/** What went wrong in the worker, in a form that travels between threads. Codes are those of our errors. */
export interface Fault {
  readonly code: FaultCode;
  readonly message: string;
  readonly hint?: string;
}

export type FaultCode =
  | 'access_denied'
  | 'invariant'
  | 'not_connected'
  | 'ownership_lost'
  | 'request_refused'
  | 'schema_changed'
  | 'transient'
  | 'unexpected_reply';

/** Thrown inside the worker. */
export class FaultError extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/**
 * SQLite's primary result codes: what the engine does next, and what the user can do. `errcode` is the extended code; its lowest
 * byte is the primary one. `code` says `ERR_SQLITE_ERROR` for all of them.
 */
const table: { readonly [errcode: number]: readonly [FaultCode, string?] } = {
  5: ['transient', 'Another program holds a lock on the file; close it, or raise busyTimeoutMs.'],
  6: ['transient', 'Another program holds a lock on the table.'],
  7: ['transient', 'The machine is out of memory.'],
  8: ['access_denied', 'The file or its folder is read-only: give the user of this process the right to write both.'],
  10: ['transient', 'The disk reported an error; look at the system log.'],
  11: ['request_refused', 'The file is damaged: restore it from a backup, or delete it and run in full.'],
  13: ['transient', 'The disk is full: make room. Nothing was lost; the next attempt goes on from the last checkpoint.'],
  14: ['access_denied', 'The folder has to exist, and the user of this process has to be allowed to write in it.'],
  17: ['schema_changed'],
  19: ['request_refused', 'A constraint or trigger of the table refuses the merged rows: relax it, or filter such records.'],
  23: ['access_denied'],
  26: ['request_refused', 'The path names a file that is no SQLite database (or an encrypted one): choose another path.'],
};

/** SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH: about one row, not about the database. */
const aboutTheRow = new Set([18, 19, 20]);

interface SqliteError extends Error {
  readonly code: 'ERR_SQLITE_ERROR';
  readonly errcode: number;
}

export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && (error as Partial<SqliteError>).code === 'ERR_SQLITE_ERROR';
}

export function faultOf(error: unknown, path: string): Fault {
  if (error instanceof FaultError) return error.fault;
  if (!isSqliteError(error)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { code: 'invariant', message: `SQLite connector: ${message}` };
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    return { code: 'request_refused', message: `${path} is a folder`, hint: 'The path has to name a file.' };
  }
  const message = `${path}: ${error.message}`;
  if ((error.errcode & 0xff) === 1 && /no such (table|column)/.test(error.message)) {
    return { code: 'schema_changed', message, hint: 'The table has changed since it was looked at; run again.' };
  }
  const known = table[error.errcode & 0xff];
  if (known === undefined) return { code: error.errcode === 1 ? 'request_refused' : 'unexpected_reply', message };
  return known[1] === undefined ? { code: known[0], message } : { code: known[0], message, hint: known[1] };
}

const constraints: { readonly [errcode: number]: string } = {
  275: 'SQLITE_CONSTRAINT_CHECK',
  787: 'SQLITE_CONSTRAINT_FOREIGNKEY',
  1299: 'SQLITE_CONSTRAINT_NOTNULL',
  1555: 'SQLITE_CONSTRAINT_PRIMARYKEY',
  1811: 'SQLITE_CONSTRAINT_TRIGGER',
  2067: 'SQLITE_CONSTRAINT_UNIQUE',
  3091: 'SQLITE_CONSTRAINT_DATATYPE',
};

/** The reason why a row was refused, or null when the error is not about the row. SQLite's messages name columns, not values. */
export function rejectionOf(error: unknown): { code: string; message: string } | null {
  if (!isSqliteError(error) || !aboutTheRow.has(error.errcode & 0xff)) return null;
  return { code: constraints[error.errcode] ?? `SQLITE_${error.errcode}`, message: error.message };
}
