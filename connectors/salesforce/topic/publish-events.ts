import { RateLimitedError, TransientError, TruncatedReplyError, type WriteResult } from '@tidemark/core';
import type { Client } from '../client.ts';
import { salesforceCode } from '../errors.ts';
import { lostField } from '../write/collections.ts';
import type { PublishColumn } from './publish-plan.ts';

/** What one call takes (REST API Developer Guide, "sObject Collections"), and what of it is retried after a lost reply. */
export const eventsInCallMax = 200;
/** Of one call's body: the size that Salesforce recommends for a publish request (Pub/Sub API guide, "Publish RPC Method"). */
const callBytesMax = 3_000_000;
/** Larger events are refused (Platform Events Developer Guide, "Platform Event Allocations"). */
const eventBytesMax = 1_000_000;
/** The allowance of an hour frees up by and by. */
const spentMs = 10 * 60_000;

interface EventReply {
  readonly success?: unknown;
  readonly errors?: readonly { readonly statusCode?: unknown; readonly message?: unknown }[];
}

/** An event as it goes out. */
export interface OutgoingEvent {
  readonly body: Readonly<Record<string, unknown>>;
  readonly bytes: number;
}

export interface PublishParts {
  readonly client: Client;
  readonly event: string;
  readonly columns: readonly PublishColumn[];
}

/**
 * Publishes events in their order, and answers for each whether Salesforce has taken it. Nothing of the org tells an event that is
 * published twice from two events: a call whose reply was lost is not repeated here.
 * @throws {RateLimitedError} none of them was taken: the hour's allowance is spent
 */
export async function publishEvents(
  parts: PublishParts,
  events: readonly OutgoingEvent[],
  signal: AbortSignal,
): Promise<readonly WriteResult[]> {
  const results: WriteResult[] = [];
  for (const call of callsOf(events)) {
    try {
      results.push(...(await publishCall(parts, call, signal)));
    } catch (error) {
      // What was taken before must not be published again.
      if (!results.some(({ status }) => status === 'created')) throw error;
      const code = salesforceCode(error) ?? (error as { code?: string }).code ?? 'NOT_PUBLISHED';
      const reason = { code, message: `not published: ${(error as Error).message}` };
      return [...results, ...events.slice(results.length).map((): WriteResult => ({ status: 'rejected', reason }))];
    }
  }
  return results;
}

async function publishCall(
  { client, event, columns }: PublishParts,
  events: readonly OutgoingEvent[],
  signal: AbortSignal,
): Promise<WriteResult[]> {
  const about = `publishing ${events.length} ${event}`;
  const attributes = { type: event };
  const reply = await client
    .request({
      method: 'POST',
      path: '/composite/sobjects',
      body: { allOrNone: false, records: events.map(({ body }) => ({ attributes, ...body })) },
      repeatable: false,
      replies: true,
      about,
      signal,
    })
    .catch((error: unknown) => {
      const named = /No such column '([^']+)'/i.exec((error as Error).message)?.[1]?.toLowerCase();
      const column = columns.find(({ field }) => field.name.toLowerCase() === named);
      throw column === undefined ? error : lostField(event, column.field.name);
    });
  if (!Array.isArray(reply.body) || reply.body.length !== events.length) {
    throw new TruncatedReplyError(`${about}: an answer for each was due`);
  }
  const errors = (reply.body as EventReply[]).map((each, i) => errorOf(each, events[i]!));
  const [first] = errors;
  // Not an event's fault: all of them wait.
  if (first && errors.every((error) => error?.code === first.code)) {
    if (first.code === allowanceSpent) {
      throw new RateLimitedError(`${about}: ${first.message}`, {
        retryAfterMs: spentMs,
        hint: 'The org publishes no more events in this hour; see Setup, Platform Events, or HourlyPublishedPlatformEvents of /limits',
      });
    }
    if (first.code === 'PLATFORM_EVENT_PUBLISHING_UNAVAILABLE') throw new TransientError(`${about}: ${first.message}`);
  }
  return errors.map((reason): WriteResult => (reason === null ? { status: 'created' } : { status: 'rejected', reason }));
}

const allowanceSpent = 'LIMIT_EXCEEDED';

/** Null for an event that was taken: with `OPERATION_ENQUEUED` among the errors of a success (recorded). */
function errorOf({ success, errors }: EventReply, { bytes }: OutgoingEvent): { code: string; message: string } | null {
  if (success === true) return null;
  const { statusCode, message } = errors?.[0] ?? {};
  const code = typeof statusCode === 'string' ? statusCode : 'UNKNOWN';
  const words = typeof message === 'string' ? message : 'the org refused the event without a reason';
  // One code for an event that is too large and for too many of them.
  if (code === allowanceSpent && bytes > eventBytesMax) return { code: 'EVENT_TOO_LARGE', message: words };
  return { code, message: words };
}

/** So many calls they go out in. */
export function callsToPublish(events: readonly OutgoingEvent[]): number {
  return [...callsOf(events)].length;
}

function* callsOf(events: readonly OutgoingEvent[]): Generator<readonly OutgoingEvent[]> {
  let call: OutgoingEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    if (call.length === eventsInCallMax || (call.length > 0 && bytes + event.bytes > callBytesMax)) {
      yield call;
      call = [];
      bytes = 0;
    }
    call.push(event);
    bytes += event.bytes;
  }
  if (call.length > 0) yield call;
}
