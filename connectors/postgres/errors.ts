import {
  AccessDeniedError,
  NotConnectedError,
  type Rejection,
  RequestRefusedError,
  type Row,
  SchemaChangedError,
  SyncError,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';

/** What PostgreSQL says of an error, as `pg` hands it over. */
interface DatabaseError extends Error {
  readonly code?: string;
  readonly detail?: string;
  readonly where?: string;
  readonly column?: string;
  readonly constraint?: string;
}

type Make = (message: string, options: { cause: unknown; hint?: string | undefined }) => SyncError;

const notConnected: Make = (message, options) => new NotConnectedError(message, options);
const denied: Make = (message, options) => new AccessDeniedError(message, options);
const transient: Make = (message, options) => new TransientError(message, options);
const refused: Make = (message, options) => new RequestRefusedError(message, options);
const changed: Make = (message, options) => new SchemaChangedError(message, options);

/**
 * SQLSTATE, or its class, or a code of Node's sockets → what the engine does next. The longest match counts.
 * @see PostgreSQL documentation, appendix "PostgreSQL Error Codes"
 */
const table: Readonly<Record<string, readonly [Make, string?]>> = {
  '08': [notConnected],
  ECONNREFUSED: [notConnected, 'Is PostgreSQL running at this host and port, and does it listen there?'],
  ECONNRESET: [notConnected],
  EPIPE: [notConnected],
  ETIMEDOUT: [notConnected, 'Does a firewall keep this machine from the database?'],
  EHOSTUNREACH: [notConnected],
  ENETUNREACH: [notConnected],
  ENOTFOUND: [notConnected, 'Check the host name in the connection url.'],
  EAI_AGAIN: [notConnected, 'The name service did not answer for the host in the connection url.'],
  '57P': [notConnected],
  '25P03': [
    notConnected,
    'This process did not go on with a transaction for too long: is the machine overloaded, or was it frozen?',
  ],
  '57P03': [notConnected, 'The server is starting up or shutting down.'],
  '53300': [notConnected, 'The server has no connection free: raise max_connections, lower poolMax, or end idle sessions.'],
  '53': [transient, 'The server is short of resources.'],
  '53100': [transient, 'The disk of the database server is full: free space there. Nothing is lost meanwhile.'],
  '53200': [transient, 'The database server is out of memory.'],
  '58': [transient, 'The database server met an error of its operating system: see its log.'],
  '40': [transient],
  '55P03': [transient, 'Another session holds a lock on the table: look at pg_stat_activity and pg_locks.'],
  '57014': [transient, 'The statement was cancelled: is statement_timeout too short for a load?'],
  '28': [denied, 'Check user and password in the connection url, and pg_hba.conf.'],
  '42501': [
    denied,
    'Grant the user what is missing: `tidemark check` prints the statement, the README of this connector lists the rights.',
  ],
  '25006': [denied, 'The connection leads to a read-only standby, or the user may only read.'],
  '3D000': [refused, 'Create the database, or correct its name in the connection url.'],
  '3F000': [refused, 'Create the schema, or correct `schema` of the connection.'],
  '42P01': [changed, 'The table is not there any more: the next run makes it anew, and reads everything.'],
  '42703': [changed, 'A column is not there any more; the next run looks again.'],
  '42804': [changed, 'The type of a column has changed; the next run looks again.'],
  '42': [refused],
  '22': [refused, 'An expression in `where` or `query` may meet such a value; the log of the database server names it.'],
  '23': [refused, 'The log of the database server names the row.'],
  '44': [refused, 'The log of the database server names the row.'],
  P0: [refused, 'A trigger or function of yours says so; the log of the database server has its words.'],
  '54': [refused],
  '2BP01': [refused, 'Other objects depend on it: change it by hand.'],
  '0A000': [refused],
  SELF_SIGNED_CERT_IN_CHAIN: [denied, 'Give the certificate of the authority as `ca` of the connection.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: [denied, 'Give the certificate as `ca` of the connection.'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [denied, 'Give the certificate of the authority as `ca` of the connection.'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [denied, 'Give the certificate of the authority as `ca` of the connection.'],
  CERT_HAS_EXPIRED: [denied, "The server's certificate has expired."],
  ERR_TLS_CERT_ALTNAME_INVALID: [denied, 'The certificate is for another host name than the one in the url.'],
};

/**
 * Our own words for what is about data, by the longest match: the server's repeat the value, in ways that change with its
 * version and language, and a trigger may say anything (P10).
 */
const words: Readonly<Record<string, string>> = {
  '22': 'a value does not fit what is done with it',
  '22001': 'a text is too long for its type',
  '22003': 'a number is out of range for its type',
  '22007': 'a text is no date or time',
  '22008': 'a date or time is out of range',
  '22012': 'division by zero',
  '22021': 'a text holds what the encoding of the database has not',
  '22P02': 'a text has not the form of the type that it is converted to',
  '23': 'a row breaks a constraint',
  '23502': 'a value is null that must not be',
  '23503': 'a row breaks a foreign key',
  '23505': 'a row has a key that another one has',
  '23514': 'a row breaks a check constraint',
  '44': 'a row lies outside of the view through which it is written',
  HV: 'a foreign data wrapper failed',
  P0: 'a function or trigger raised an exception',
};

/** Codes and their classes that we know, for the reference. */
export const errorCodes: readonly string[] = Object.keys(table);

/** Classes of the standard, and PostgreSQL's own: no code of Node's looks like these. */
const SQLSTATE = /^(\d[0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/;

/**
 * Ours for any error of the driver; ours and what is no error of the database pass as they are.
 * @param where  Which database, for whoever could not get in and knows of several.
 */
export function toSyncError(error: unknown, where = ''): unknown {
  if (error instanceof SyncError || !(error instanceof Error)) return error;
  const first = error instanceof AggregateError ? (error.errors[0] as DatabaseError) : (error as DatabaseError);
  const code = (error as DatabaseError).code ?? first.code;
  const text = textOf(error.message === '' ? first : error, code);
  const message = `PostgreSQL${where}: ${text}`;
  if (code === undefined) {
    if (
      /^Connection terminated|timeout exceeded when trying to connect|^Client has encountered|not queryable/.test(error.message)
    ) {
      return new NotConnectedError(message, { cause: safeCause(error, text) });
    }
    if (error.message === 'The server does not support SSL connections') {
      return new AccessDeniedError(message, { hint: 'Set up TLS at the server, or add sslmode=disable to the url.' });
    }
    return error;
  }
  const known = longestMatch(table, code);
  if (known !== undefined) return known[0](message, { cause: safeCause(error, text), hint: known[1] });
  if (!SQLSTATE.test(code)) return error;
  return new UnexpectedReplyError(message, { cause: safeCause(error, text), hint: 'See the log of the database server.' });
}

function longestMatch<T>(entries: Readonly<Record<string, T>>, code: string): T | undefined {
  for (let length = code.length; length >= 2; length--) {
    const found = entries[code.slice(0, length)];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What may be said of an error: the server's words where they are about the request, ours where they can repeat a value. */
function textOf(error: DatabaseError, code: string | undefined): string {
  if (code === undefined) return withoutValues(error.message);
  const own = longestMatch(words, code);
  if (own !== undefined) {
    const names = [error.column && `column ${error.column}`, error.constraint && `constraint ${error.constraint}`].filter(
      Boolean,
    );
    return `${own}${names.length === 0 ? '' : `: ${names.join(', ')}`} (${code})`;
  }
  if (longestMatch(table, code) !== undefined) return withoutValues(error.message);
  return `error ${code}: ${withoutQuoted(error.message)}`;
}

/** The cause without what carries row values: DETAIL, and the line that a COPY failed on. */
function safeCause(error: Error, text: string): Error {
  const { code } = error as DatabaseError;
  const cause = new Error(text);
  cause.name = code === undefined ? error.name : `${error.name} ${code}`;
  if (error.stack !== undefined && error.message !== '') cause.stack = error.stack.replaceAll(error.message, text);
  return cause;
}

/**
 * SQLSTATEs that are about one record: data exceptions, integrity constraints, a view's check option, `RAISE EXCEPTION` of
 * a trigger, and a value too large for an index.
 */
const ABOUT_A_RECORD = /^(22|23|44|P0001|54000)/;

export function isAboutARecord(error: unknown): error is DatabaseError {
  const code = (error as DatabaseError | null)?.code;
  return typeof code === 'string' && code.length === 5 && ABOUT_A_RECORD.test(code);
}

/** Why a record was refused: SQLSTATE and message, the field where the server names a column, and no values. */
export function rejectionOf(error: DatabaseError, columns: readonly Named[]): Rejection {
  const column = refusedColumn(error);
  const field = columns.find(({ rawName }) => rawName === column)?.field.name ?? column;
  const plain = withoutValues(error.message);
  // A data exception has no names in quotes that matter; whatever is quoted can be a value.
  const message = error.code?.startsWith('22') ? withoutQuoted(plain) : plain;
  return {
    code: error.code ?? '',
    message: field === undefined || message.includes(`"${field}"`) ? message : `${message} (field ${field})`,
  };
}

/** Before it is sent, or in words of our own: the server does not say in which value a NUL stands. */
export function nulRejection(row: Row, columns: readonly Named[]): Rejection {
  const names = columns.flatMap(({ field }) => (String(row[field.name] ?? '').includes('\0') ? [field.name] : []));
  const where = names.length === 0 ? '' : ` (field ${names.join(', ')})`;
  return { code: '22021', message: `a text holds a NUL character, which PostgreSQL cannot store${where}` };
}

interface Named {
  readonly rawName: string;
  readonly field: { readonly name: string };
}

/** The column about which the server complains; it does not always say. */
export function refusedColumn(error: DatabaseError): string | undefined {
  return error.column ?? columnOf(error);
}

function columnOf(error: DatabaseError): string | undefined {
  return (
    /^COPY .*?, line \d+, column (.*?)(:|$)/s.exec(error.where ?? '')?.[1] ?? /^Key \((.*?)\)=/s.exec(error.detail ?? '')?.[1]
  );
}

/** Which line of a COPY, from 1, was refused; undefined when the server does not say. */
export function copyLineOf(error: DatabaseError): number | undefined {
  const line = /^COPY .*?, line (\d+)/s.exec(error.where ?? '')?.[1];
  return line === undefined ? undefined : Number(line);
}

/** `invalid input syntax for type integer: "12 Main St"` repeats the value; nobody's data belongs in a log. */
function withoutValues(message: string): string {
  return message.replace(/: (".*"|0x[0-9a-f x]+)$/s, '').replace(/^(value )?".*" is/s, 'value is');
}

/** From the first quote to the last: a value may hold quotes itself. */
function withoutQuoted(message: string): string {
  return message.replace(/".*"/s, '…').replace(/'.*'/s, '…');
}
