/**
 * The errors we throw on purpose. A class is named for what the engine does next (see the table in CONTRIBUTING.md);
 * `code` is stable and searchable, wording may change.
 */
export abstract class SyncError extends Error {
  abstract readonly code: string;
  /** What an operator can do about it, as one sentence. */
  readonly hint: string | undefined;
  constructor(message: string, options: { cause?: unknown; hint?: string | undefined } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
  }
}

/** Connection lost, login refused for now, token expired. The engine opens the connection again, with backoff. */
export class NotConnectedError extends SyncError {
  readonly code = 'not_connected';
}

/** Credentials or rights that no retry will mend: wrong password, missing permission. The run fails. */
export class AccessDeniedError extends SyncError {
  readonly code = 'access_denied';
}

/** What let us in does so no more: it was taken back, or has expired. Somebody has to let us in again. */
export class CredentialRevokedError extends AccessDeniedError {}

/** Quota spent, or 429 with a wait. The engine waits `retryAfterMs` and spends no attempt. */
export class RateLimitedError extends SyncError {
  readonly code: string = 'rate_limited';
  readonly retryAfterMs: number;
  constructor(message: string, options: { retryAfterMs: number; cause?: unknown; hint?: string }) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * A call that was not made, or was refused, because the calls of 24 hours that are for such work are spent (P8). A run ends and is
 * made when there are some again, at the earliest after `retryAfterMs`; it keeps nobody else waiting meanwhile.
 */
export class OverBudgetError extends RateLimitedError {
  override readonly code: string = 'over_budget';
}

/** Timeout, lock, 5xx. The engine tries the same piece of work again, up to the attempt limit. */
export class TransientError extends SyncError {
  readonly code = 'transient';
}

/** A reply that was cut or garbled: its rows do not add up to what was announced (P13). Read again. */
export class TruncatedReplyError extends SyncError {
  readonly code = 'truncated_reply';
}

/** Field or table not as discovered. The run fails; the next one discovers again. */
export class SchemaChangedError extends SyncError {
  readonly code = 'schema_changed';
}

/** History older than the checkpoint is gone: what it covered is read again in full. */
export class CheckpointExpiredError extends SyncError {
  readonly code = 'checkpoint_expired';
}

/** Another worker has taken this unit of work over (P11). The run stops at once and has changed nothing. */
export class OwnershipLostError extends SyncError {
  readonly code = 'ownership_lost';
  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, {
      hint: 'another process has taken this sync over, and this one has changed nothing since: let only one of them run it',
      ...options,
    });
  }
}

/** A sweep would delete more than `sweepMax` of the target (P4). Nothing was deleted. */
export class SweepRefusedError extends SyncError {
  readonly code = 'sweep_refused';
}

/** What the user asked for cannot be done with this system: wrong object, unknown field, a query it refuses. */
export class RequestRefusedError extends SyncError {
  readonly code = 'request_refused';
}

/** A reply that our code has never heard of. Stops the sync. */
export class UnexpectedReplyError extends SyncError {
  readonly code = 'unexpected_reply';
}

/** Our bug. Stops the process; the next start resumes. */
export class InvariantError extends SyncError {
  readonly code = 'invariant';
}

/** One thing that is wrong with a configuration or a connection, and what to do about it. */
export interface Problem {
  /** Where: `tidemark.yaml:12:5`, `connections.crm`, a field. */
  readonly place: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** A warning does not keep a sync from running. */
  readonly severity: 'error' | 'warning';
}

/** Every problem found, not just the first. Stays stopped; exit code 2. */
export class ConfigError extends SyncError {
  readonly code = 'config_invalid';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map((p) => `${p.place}: ${p.message}${p.hint === undefined ? '' : ` (${p.hint})`}`).join('\n'));
    this.problems = problems;
  }
}
