import { AccessDeniedError, CheckpointExpiredError, RequestRefusedError, type StreamEvent, SyncError } from '@tidemark/core';
import { BSON, type ChangeStreamDocument, MongoServerError, type Timestamp } from 'mongodb';
import { faultOf } from './errors.ts';
import { canonicalOf } from './values.ts';

/** What of a change is asked for. */
export const EVENT_FIELDS = {
  _id: 1,
  operationType: 1,
  ns: 1,
  documentKey: 1,
  clusterTime: 1,
  wallTime: 1,
  lsid: 1,
  txnNumber: 1,
};

/** What it may be: events of collections that are not listened to are left out by the server. */
export function eventsOf(collections: readonly string[]): object[] {
  const ours = { 'ns.coll': { $in: collections } };
  return [{ $match: { $or: [ours, { operationType: { $in: ['dropDatabase', 'invalidate'] } }] } }, { $project: EVENT_FIELDS }];
}

/**
 * A change says which document it was about. Its values are read, by key, as they are then: what a change carries has neither the
 * types of the source nor its filter, and is older.
 */
export function eventOf(change: ChangeStreamDocument, collection: string, nowMs: number): StreamEvent {
  const position = encodeToken(change._id);
  const common = {
    ...{ position, dataset: collection, row: null, untold: [], stampMs: null, writer: '' },
    transaction: transactionOf(change) ?? position,
    committedAtMs: timeOf(change) ?? nowMs,
  };
  switch (change.operationType) {
    case 'insert':
    case 'update':
    case 'replace':
      return { ...common, op: 'gap', keys: [keyOf(change.documentKey)] };
    case 'delete':
      return { ...common, op: 'delete', keys: [keyOf(change.documentKey)] };
    default:
      // The collection went, or got another's documents: only a look at all of it tells.
      return { ...common, op: 'overflow', keys: [] };
  }
}

/** Whether the stream ends with it: what comes after a dropped database is told to those who listen anew. */
export function endsStream({ operationType }: Pick<ChangeStreamDocument, 'operationType'>): boolean {
  return operationType === 'invalidate' || operationType === 'dropDatabase';
}

export function encodeToken(token: unknown): string {
  return BSON.EJSON.stringify({ token }, { relaxed: false });
}

/** @throws {CheckpointExpiredError} it is none of ours */
export function decodeToken(position: string): object {
  try {
    const { token } = BSON.EJSON.parse(position) as { token?: unknown };
    // Of a document; a number or a date would be an object of the driver's.
    if (Object.getPrototypeOf(token ?? 0) === Object.prototype) return token as object;
  } catch {
    // Told below.
  }
  throw new CheckpointExpiredError('the position is none of a change stream');
}

/**
 * What the engine does about a stream that breaks: a position that the oplog no longer holds is a hole, which is read again (P5).
 * @see MongoDB manual, "Change Streams", "Error Codes"
 */
export function streamFaultOf(error: unknown): unknown {
  if (!(error instanceof MongoServerError)) return faultOf(error);
  switch (error.code) {
    // InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost; and CappedPositionLost, which older servers say.
    case 260:
    case 280:
    case 286:
    case 136:
      return new CheckpointExpiredError('the oplog no longer holds what comes after the position', { cause: error });
    case 40573:
      return new RequestRefusedError('the server has no change streams', {
        cause: error,
        hint: 'They need a replica set. Without, use every: in place of live:.',
      });
    case 13:
      return new AccessDeniedError(error.message, {
        cause: error,
        hint: 'Grant the user changeStream and find on the database.',
      });
    default:
      return faultOf(error);
  }
}

/** Whether trying again may help. */
export function isPassing(fault: unknown): boolean {
  return fault instanceof SyncError && (fault.code === 'not_connected' || fault.code === 'transient');
}

function keyOf({ _id }: { readonly _id: unknown }): string {
  return String(canonicalOf({ name: '_id', type: 'text', nullable: false }, _id));
}

function transactionOf(change: ChangeStreamDocument): string | null {
  const { lsid, txnNumber } = change as { lsid?: unknown; txnNumber?: unknown };
  return lsid === undefined || txnNumber === undefined ? null : BSON.EJSON.stringify({ lsid, txnNumber });
}

function timeOf(change: ChangeStreamDocument): number | null {
  const { wallTime, clusterTime } = change as { wallTime?: unknown; clusterTime?: Timestamp };
  if (wallTime instanceof Date) return wallTime.getTime();
  return clusterTime === undefined ? null : clusterTime.getHighBits() * 1000;
}
