import {
  CheckpointExpiredError,
  NotConnectedError,
  RateLimitedError,
  RequestRefusedError,
  type SyncError,
  UnexpectedReplyError,
} from '@tidemark/core';
import type { StreamFault } from './transport.ts';

/**
 * What a stream does about its end:
 * `login`: with a new session, at once; `again`: after a wait; `crowded`: after a longer one, because too many come back in haste;
 * `lost`: the position is no good, what it stood for is read again; `refused`: nobody but a person can help;
 * `spent`: the day's deliveries are used up, polls go on; `ours`: we have spoken wrongly.
 */
export type StreamAction = 'login' | 'again' | 'crowded' | 'lost' | 'refused' | 'spent' | 'ours';

const selectHint =
  'Select the object in Setup, Change Data Capture (or let `check` do it), and look at the spelling: the names of topics know capitals';
const rightsHint =
  'The user needs "View All" on the object (viewAllRecords in a permission set, which `tidemark package` writes; for some objects "View All Data" or "View All Users"), and the permission "API Enabled"';

interface Reaction {
  readonly action: StreamAction;
  readonly hint?: string;
}

/** By the trailer `error-code`, less `sfdc.platform.eventbus.grpc.` (Pub/Sub API guide, "Handle Errors"). */
const byPubSubCode: Readonly<Record<string, Reaction>> = {
  'service.auth.error': { action: 'login' },
  'service.auth.headers.invalid': { action: 'login' },
  'service.auth.refresh.invalid': { action: 'ours' },
  'publish.auth.refresh.invalid': { action: 'ours' },
  'service.unavailable': { action: 'again' },
  'subscription.internal.error': { action: 'again' },
  'schema.api.unavailable': { action: 'again' },
  'topic.api.unavailable': { action: 'again' },
  'service.protection.triggered': { action: 'crowded' },
  'service.protection.stream.limit.triggered': { action: 'crowded' },
  'concurrent.client.limit.exceeded': { action: 'crowded' },
  'service.tenant.license': { action: 'refused', hint: 'The org has no licence for the Pub/Sub API: set `stream: cometd`' },
  'topic.not.found': { action: 'refused', hint: selectHint },
  'topic.meta.permission': { action: 'refused', hint: rightsHint },
  'schema.meta.permission': { action: 'refused', hint: rightsHint },
  'topic.validation.empty': { action: 'ours' },
  'publish.topic.validation.empty': { action: 'ours' },
  'schema.validation.failed': { action: 'ours' },
  'subscription.topic.cannot.subscribe': { action: 'refused', hint: rightsHint },
  'subscription.fetch.replayid.corrupted': { action: 'lost' },
  'subscription.fetch.replayid.validation.failed': { action: 'lost' },
  // The order of replay ids was broken on the way: a new subscription puts it right.
  'subscription.fetch.replay.repeated': { action: 'again' },
  'subscription.fetch.overflow': { action: 'again' },
  'subscription.fetch.topic.mismatch': { action: 'ours' },
  'publish.topic.mismatch': { action: 'ours' },
  'subscription.fetch.requested.events.invalid': { action: 'ours' },
  'subscription.fetch.request.invalid': { action: 'ours' },
  'subscription.limit.exceeded': { action: 'spent' },
  'publish.event.count.invalid': { action: 'ours' },
  'publish.stream.sweeper.timeout': { action: 'again' },
};

/** The rest of the table is about subscriptions whose position Salesforce keeps: we keep our own beside the data (P1). */
const managedPrefix = 'managed.subscription.';

/** Beginnings of CometD's `error` (Streaming API Developer Guide, "Status Codes"). The first that fits counts. */
const byCometdError: readonly (readonly [RegExp, Reaction])[] = [
  [/^401::/, { action: 'login' }],
  [/^40[23]::Unknown client/, { action: 'again' }],
  [/^400::The replayId \{?.*\}? you provided was invalid/, { action: 'lost' }],
  [/^403::Organization concurrent user limit exceeded/, { action: 'crowded' }],
  [/^403::Organization total events daily limit exceeded/, { action: 'spent' }],
  [/^403::User not allowed/, { action: 'refused', hint: rightsHint }],
  [/^403::Cannot create channel/, { action: 'refused', hint: rightsHint }],
  [/^403::create_denied/, { action: 'refused', hint: selectHint }],
  [/^403::Handshake denied/, { action: 'login' }],
  [/^403::/, { action: 'refused', hint: rightsHint }],
  [/^404::/, { action: 'refused', hint: selectHint }],
  [/^400::/, { action: 'refused', hint: selectHint }],
  [/^(408|429|503)::/, { action: 'again' }],
  [/^413::/, { action: 'ours' }],
];

/** gRPC's statuses, for what comes without a code: a proxy or a gateway speaks, or a server newer than this table. */
const byStatus: Readonly<Record<string, StreamAction>> = {
  UNAUTHENTICATED: 'login',
  PERMISSION_DENIED: 'refused',
  NOT_FOUND: 'refused',
  INVALID_ARGUMENT: 'refused',
  FAILED_PRECONDITION: 'refused',
  UNIMPLEMENTED: 'refused',
  OUT_OF_RANGE: 'lost',
  RESOURCE_EXHAUSTED: 'crowded',
};

export function reactionTo({ code, status }: Pick<StreamFault, 'code' | 'status'>): Reaction {
  const known = Object.hasOwn(byPubSubCode, code) ? byPubSubCode[code] : undefined;
  if (known !== undefined) return known;
  if (code.startsWith(managedPrefix)) return { action: 'ours' };
  // Bayeux's form is `code:what it is about:message`; Salesforce mostly leaves out the middle.
  const answer = code.replace(/^(\d{3}):[^:]+:/, '$1::');
  const cometd = byCometdError.find(([pattern]) => pattern.test(answer));
  if (cometd !== undefined) return cometd[1];
  return { action: byStatus[status] ?? 'again' };
}

/** A day's allowance frees up hour by hour. */
const spentMs = 15 * 60_000;

/** The error with which a stream ends; `again` and its like only when somebody gives up waiting. */
export function errorOfFault(fault: StreamFault, about: string): SyncError {
  const { action, hint } = reactionTo(fault);
  const code = fault.code === '' || fault.message.startsWith(fault.code) ? '' : ` [${fault.code}]`;
  const message = `${about}: ${fault.message}${code}`;
  switch (action) {
    case 'lost':
      return new CheckpointExpiredError(message, { cause: fault });
    case 'refused':
      return new RequestRefusedError(message, { cause: fault, hint });
    case 'spent':
      return new RateLimitedError(message, {
        cause: fault,
        retryAfterMs: spentMs,
        hint: "The org's event deliveries of 24 hours are used up; see Setup, Platform Events. Polls go on meanwhile",
      });
    case 'ours':
      return new UnexpectedReplyError(message, { cause: fault });
    default:
      return new NotConnectedError(message, { cause: fault });
  }
}
