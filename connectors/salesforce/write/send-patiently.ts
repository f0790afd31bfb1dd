import {
  AccessDeniedError,
  backoffMs,
  type ConnectorContext,
  RequestRefusedError,
  SchemaChangedError,
  SyncError,
  TransientError,
} from '@tidemark/core';
import { salesforceCode } from '../errors.ts';
import { isWorthFewer, type Outcome, refusedWith } from './outcome.ts';

export interface Sending<T> {
  readonly context: Pick<ConnectorContext, 'clock' | 'random' | 'log' | 'connection'>;
  /** Most records in a call. */
  readonly callMax: number;
  /** Given for what must not be done twice: whether records of the same write have been sent already, another way. */
  readonly once?: { readonly begun: boolean };
  /** Decided by what the records were just now: it is not sent when that was a while ago. */
  readonly momentary?: boolean;
  /** Orders records so that those of one parent, which lock each other, go together. */
  readonly lockOf: (record: T) => string;
  readonly call: (records: readonly T[], signal: AbortSignal) => Promise<readonly Outcome[]>;
  readonly signal: AbortSignal;
}

/** Records in a call once some were locked; then record by record, when there are no more than so many left (P8). */
const fewer = [25, 1] as const;
const oneByOneMax = 200;

/** So many records refused and none taken: then it is not for any of them that the org refuses. */
const refusalsMax = 20;

/**
 * What was decided so long ago is decided anew: the records are read again first. A process that slept meanwhile, or a reply that took
 * long, would otherwise put back what somebody has changed or deleted since.
 */
const freshMs = 15_000;

const wait = { attemptsMax: 3, delayMs: 500, delayMsMax: 10_000 };

/** Errors of a whole call that one of its records may have caused. Others, such as a lost connection, are nobody's fault. */
const blamesARecord = new Set(['UNKNOWN_EXCEPTION', 'APEX_ERROR', 'REQUEST_RUNNING_TOO_LONG', 'HTTP_413']);

/**
 * Sends records in calls, one after the other, and answers what became of each. What was locked is sent again in smaller calls,
 * sorted by parent, at last one by one. A call that is refused as a whole is halved until the bad record is named (P2).
 */
export async function sendPatiently<T>(records: readonly T[], sending: Sending<T>): Promise<Outcome[]> {
  const outcomes = new Array<Outcome>(records.length);
  let left = records.map((_, index) => index);
  const { clock } = sending.context;
  const freshUntilMs = sending.momentary ? clock.now() + freshMs : Number.POSITIVE_INFINITY;
  const sizes = [sending.callMax, ...fewer.map((size) => Math.min(size, sending.callMax))];
  for (const [round, size] of sizes.entries()) {
    if (left.length === 0 || (size === 1 && left.length > oneByOneMax)) break;
    if (round > 0) {
      const { context, lockOf, signal } = sending;
      context.log.debug(
        { connection: context.connection, records: left.length, size },
        'locked records are sent in smaller calls',
      );
      await context.clock.sleep(backoffMs(round, wait, context.random), signal);
      left = [...left].sort((a, b) => compareTexts(lockOf(records[a]!), lockOf(records[b]!)));
    }
    for (let at = 0; at < left.length; at += size) {
      if (clock.now() > freshUntilMs) {
        // Locked ones have their answer: they are tried again as failures are.
        if (round > 0) return outcomes;
        throw new TransientError('the org took so long that the records have to be read again before they are written');
      }
      const indexes = left.slice(at, at + size);
      await sendCall(records, indexes, outcomes, sending);
    }
    left = left.filter((index) => isWorthFewer(outcomes[index]!));
  }
  return outcomes;
}

/** One call, or what remains of it when it is refused. */
async function sendCall<T>(
  records: readonly T[],
  indexes: readonly number[],
  outcomes: Outcome[],
  sending: Sending<T>,
): Promise<void> {
  const put = (answered: readonly Outcome[]) => {
    for (const [i, index] of indexes.entries()) outcomes[index] = answered[i]!;
  };
  try {
    put(
      await sending.call(
        indexes.map((index) => records[index]!),
        sending.signal,
      ),
    );
  } catch (error) {
    if (sending.signal.aborted) throw error;
    // After a fault of the org's nobody can tell what it has done: only what may be done twice is sent again.
    if (!mayBlame(error) || (sending.once !== undefined && error instanceof TransientError)) {
      // Thrown, it would have the whole write sent again, what has been done included: better these records wait by themselves.
      const begun = sending.once?.begun || outcomes.some((outcome) => outcome?.ok);
      if (sending.once === undefined || !begun || !(error instanceof SyncError)) throw error;
      return put(indexes.map(() => refusedWith(error.code, `${error.message}: the record is sent again later`)));
    }
    if (indexes.length > 1) {
      const half = Math.ceil(indexes.length / 2);
      await sendCall(records, indexes.slice(0, half), outcomes, sending);
      await sendCall(records, indexes.slice(half), outcomes, sending);
      return;
    }
    const told = outcomes.filter((outcome) => outcome !== undefined);
    if (told.length + 1 >= refusalsMax && !told.some(({ ok }) => ok)) throw error;
    put([refusedWith(salesforceCode(error) ?? (error as { code: string }).code, (error as Error).message)]);
  }
}

function mayBlame(error: unknown): boolean {
  const code = salesforceCode(error);
  if (code === undefined || error instanceof AccessDeniedError || error instanceof SchemaChangedError) return false;
  return error instanceof RequestRefusedError || blamesARecord.has(code);
}

export const compareTexts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
