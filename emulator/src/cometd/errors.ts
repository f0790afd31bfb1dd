import type { Advice } from './types.ts';

/** What the Streaming API says when it refuses (Streaming API Developer Guide, "Streaming API Error Codes"). */
export const errors = {
  authenticationInvalid: '401::Authentication invalid',
  authenticationMissing: '401::Request requires authentication',
  otherUser: "400::Authenticated user id does not match the session's user id",
  handshakeDenied: '403::Handshake denied',
  notEnabled: '403::User not enabled for streaming',
  tooManyClients: '403::Organization concurrent user limit exceeded',
  deliveriesSpent: '403::Organization total events daily limit exceeded',
  unknownClient: '403::Unknown client',
  busy: '503::Server is too busy. Please try your request again later.',
  noSubscription: '400::Channel name not specified',
  noSlash: "400::Channel subscriptions must start with a leading '/'",
  noViewAll: '403::User not allowed to subscribe CDC without required permissions',
  restricted: '403::Restricted channel',
  noEntity: '403::Subscriber does not have access to the entity in this topic',
  hiddenWhere: '403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic',
  noAccess: '403::No access on channel',
  unknownChannel: '404::Unknown channel',
  noCookie: (clientId: string) => `400::Client ${clientId} has established a session, but no BAYEUX_BROWSER cookie present`,
  noChannel: (name: string) => `400::The channel you requested to subscribe to does not exist {${name}}`,
  cannotCreate: (name: string) => `403::Cannot create channel ${name}`,
  filter: (expression: string) => `400::The filter of the subscription cannot be read: ${expression}`,
  filterField: (field: string) =>
    `400::The filter of the subscription uses a field that the query of the PushTopic has not: ${field}`,
  connectionType: (type: string) => `400::Invalid connection type ${type}`,
  // Two blanks, as it is on the wire.
  replayId: (replayId: unknown) =>
    `400::The replayId {${replayId}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.`,
} as const;

/** What a client is to do after an error on `/meta/connect`. */
export function adviceFor(error: string): Advice {
  if (/^40[23]::Unknown client/.test(error)) return { reconnect: 'handshake', interval: 0 };
  return { reconnect: error.startsWith('503') ? 'retry' : 'none', interval: 0 };
}

/** A refused handshake names its cause in `ext.sfdc.failureReason` only. */
export function deniedHandshake(failureReason: string, advice: Advice = { reconnect: 'none' }): Record<string, unknown> {
  return { ext: { sfdc: { failureReason } }, advice, error: errors.handshakeDenied, successful: false };
}
