import pino from 'pino';
import { InvariantError, SyncError, UnexpectedReplyError } from './errors.ts';
import { exportLine, traceIds } from './export-line.ts';
import { formatLogLine } from './format-log-line.ts';
import { scrub } from './secrets.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The `Log` that connectors get, with children whose lines can be told apart: `child({ sync: 'contacts' })`. */
export interface RootLog {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
  child(data: object): RootLog;
}

/** Members that are never written, wherever in the data they stand. A second fence: nobody should log them in the first place. */
const SECRET_NAMES =
  /^(?:.*(?:password|passphrase|secret|apikey|privatekey)|authorization|proxyauthorization|cookie|setcookie|(?:access|refresh|id|security|session|bearer)?token|sessionid|sid|assertion|connectionstring)$/;

export interface LogOptions {
  readonly level: LogLevel;
  /** For people rather than for machines: one readable line instead of JSON. */
  readonly pretty?: boolean;
  /** Colours, with `pretty`. */
  readonly colour?: boolean;
  /** Standard error unless told otherwise: standard output belongs to what a command answers. */
  readonly destination?: { write(line: string): void };
}

/** One JSON object a line (or a readable line), on standard error, without secrets. */
export function createLog({ level, pretty = false, colour = false, destination }: LogOptions): RootLog {
  // Written at once, so that the last words before a crash are not lost in a buffer.
  const out = destination ?? pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: traceIds,
      // An error is one of ours by then, and not to be described once more.
      serializers: { err: (described: unknown) => described },
      formatters: { level: (label) => ({ level: label }), log: (data) => writable(data, 0) as Record<string, unknown> },
    },
    {
      write: (line: string) => {
        const safe = scrub(line);
        out.write(pretty ? formatLogLine(safe, colour) : safe);
        exportLine(safe);
      },
    },
  );
}

/** A copy that is safe to write: secret members masked, errors as code, message, hint and cause, no endless nesting. */
function writable(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 6) return '…';
  if (value instanceof Error) return describeError(value, depth);
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => writable(item, depth + 1));
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      isSecretName(name) && member != null ? '[secret]' : writable(member, depth + 1),
    ]),
  );
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.test(name.replace(/[^a-z]/gi, '').toLowerCase());
}

/** Where in our code a password was found to be wrong tells nobody anything: lines of it hide what does. */
function isUnderstood(error: Error): boolean {
  return error instanceof SyncError && !(error instanceof InvariantError || error instanceof UnexpectedReplyError);
}

/** Not the error's other members: drivers hang whole requests, and with them credentials and rows, onto their errors. */
function describeError(error: Error, depth: number): object {
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  return {
    name: error.name,
    ...(typeof code === 'string' && { code }),
    message: error.message,
    ...(typeof hint === 'string' && { hint }),
    ...(error.stack !== undefined && !isUnderstood(error) && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: writable(error.cause, depth + 1) }),
  };
}
