/** gRPC's own numbers, so that nothing here needs its library. */
export const grpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcStatus = keyof typeof grpcStatus;

const prefix = 'sfdc.platform.eventbus.grpc.';

interface ErrorFacts {
  status: GrpcStatus;
  message: string;
}

/**
 * What the trailer `error-code` says after `sfdc.platform.eventbus.grpc.`, from the Pub/Sub API guide, "Handle Errors".
 * Known statuses and texts: auth.error, topic.not.found, replayid.corrupted, limit.exceeded (text), already.active
 * (status). The guide gives the others in prose only; their statuses are the ones gRPC means for such a case.
 */
export const errorFacts = {
  'service.auth.error': {
    status: 'UNAUTHENTICATED',
    message: 'An authentication exception occurred. Provide valid authentication via metadata headers.',
  },
  'service.auth.headers.invalid': {
    status: 'UNAUTHENTICATED',
    message: 'An authentication header value is invalid or blank. Provide valid authentication via metadata headers.',
  },
  'service.auth.refresh.invalid': { status: 'UNAUTHENTICATED', message: 'The auth refresh token is invalid.' },
  'service.unavailable': { status: 'UNAVAILABLE', message: 'The Pub/Sub API service is unavailable.' },
  'service.protection.triggered': { status: 'RESOURCE_EXHAUSTED', message: 'Too many connections or requests.' },
  'service.protection.stream.limit.triggered': { status: 'RESOURCE_EXHAUSTED', message: 'Too many requests on this stream.' },
  'service.tenant.license': { status: 'PERMISSION_DENIED', message: 'The org is not licensed for Pub/Sub API.' },
  'concurrent.client.limit.exceeded': {
    status: 'RESOURCE_EXHAUSTED',
    message: 'The maximum number of concurrent clients across all topics has been exceeded.',
  },
  'topic.not.found': {
    status: 'NOT_FOUND',
    message: 'The topic was not found. Ensure the topic name is correct and that the topic exists.',
  },
  'topic.meta.permission': { status: 'PERMISSION_DENIED', message: "The user doesn't have access to the topic." },
  'topic.api.unavailable': { status: 'UNAVAILABLE', message: 'Topic information is temporarily unavailable.' },
  'topic.validation.empty': { status: 'INVALID_ARGUMENT', message: "The topic name can't be blank." },
  'schema.meta.permission': { status: 'PERMISSION_DENIED', message: "The user doesn't have access to the schema." },
  'schema.api.unavailable': { status: 'UNAVAILABLE', message: 'Schema information is temporarily unavailable.' },
  'schema.validation.failed': { status: 'INVALID_ARGUMENT', message: 'The schema ID is blank or unknown.' },
  'subscription.fetch.replayid.corrupted': {
    status: 'INVALID_ARGUMENT',
    message: 'The Replay ID validation failed. Ensure that the Replay ID is valid.',
  },
  'subscription.fetch.replayid.validation.failed': {
    status: 'INVALID_ARGUMENT',
    message: 'A Replay ID is required when the replay preset is CUSTOM.',
  },
  'subscription.fetch.replay.repeated': {
    status: 'INTERNAL',
    message: 'An event was received with a lower Replay ID than the previous one. Restart the subscription.',
  },
  'subscription.fetch.overflow': { status: 'RESOURCE_EXHAUSTED', message: 'More events were requested than were processed.' },
  'subscription.fetch.requested.events.invalid': {
    status: 'INVALID_ARGUMENT',
    message: 'The number of requested events must be greater than zero.',
  },
  'subscription.fetch.request.invalid': { status: 'INVALID_ARGUMENT', message: 'The fetch request is invalid.' },
  'subscription.fetch.topic.mismatch': {
    status: 'INVALID_ARGUMENT',
    message: 'The topic name must be the same in every request of a subscription.',
  },
  'subscription.topic.cannot.subscribe': {
    status: 'PERMISSION_DENIED',
    message: "The user doesn't have permission to subscribe to the topic.",
  },
  'subscription.limit.exceeded': {
    status: 'RESOURCE_EXHAUSTED',
    message: 'You have exceeded the event delivery limit for your org.',
  },
  'subscription.internal.error': { status: 'INTERNAL', message: 'An internal subscription error occurred.' },
  'publish.auth.refresh.invalid': { status: 'INVALID_ARGUMENT', message: "The first publish request can't refresh auth." },
  'publish.event.count.invalid': { status: 'INVALID_ARGUMENT', message: 'A publish request must contain at least one event.' },
  'publish.topic.mismatch': {
    status: 'INVALID_ARGUMENT',
    message: 'The topic name must be the same in every request of a publish stream.',
  },
  'publish.topic.validation.empty': { status: 'INVALID_ARGUMENT', message: "The topic name can't be blank." },
  'publish.stream.sweeper.timeout': {
    status: 'DEADLINE_EXCEEDED',
    message: 'The publish stream was closed because no request was received in time.',
  },
  'managed.subscription.already.active': {
    status: 'ALREADY_EXISTS',
    message: 'An active subscription with the same ID already exists.',
  },
  'managed.subscription.config.stopped': {
    status: 'FAILED_PRECONDITION',
    message: 'The managed event subscription is in the STOP state.',
  },
  'managed.subscription.config.deleted': { status: 'NOT_FOUND', message: 'The managed event subscription was deleted.' },
  'managed.subscription.developer.name.not.found': {
    status: 'NOT_FOUND',
    message: 'No managed event subscription has this developer name.',
  },
  'managed.subscription.subscription.id.not.found': {
    status: 'NOT_FOUND',
    message: 'No managed event subscription has this ID.',
  },
  'managed.subscription.subscription.id.invalid': {
    status: 'INVALID_ARGUMENT',
    message: 'The subscription ID must have 15 or 18 characters.',
  },
  'managed.subscription.id.or.developer.name.empty': {
    status: 'INVALID_ARGUMENT',
    message: 'Provide either a subscription ID or a developer name.',
  },
  'managed.subscription.fetch.request.events.invalid': {
    status: 'INVALID_ARGUMENT',
    message: "The number of requested events can't be negative.",
  },
  'managed.subscription.fetch.request.invalid': {
    status: 'INVALID_ARGUMENT',
    message: 'The managed fetch request asks neither for events nor for a commit.',
  },
  'managed.subscription.fetch.request.commit.request.restricted': {
    status: 'INVALID_ARGUMENT',
    message: "The first request of a managed subscription can't commit.",
  },
  'managed.subscription.fetch.request.auth.request.restricted': {
    status: 'INVALID_ARGUMENT',
    message: "The first request of a managed subscription can't refresh auth.",
  },
} as const satisfies Record<string, ErrorFacts>;

export type PubSubErrorCode = keyof typeof errorFacts;

/** An RPC that ends badly. Without a code it is the network that failed, or a gateway before the service. */
export class PubSubError extends Error {
  override readonly name = 'PubSubError';
  readonly status: GrpcStatus;
  /** In full, as the trailer `error-code` carries it. */
  readonly errorCode: string | undefined;

  constructor(code: PubSubErrorCode | undefined, options: { status?: GrpcStatus; message?: string } = {}) {
    super(options.message ?? (code === undefined ? 'RST_STREAM closed stream' : errorFacts[code].message));
    this.status = options.status ?? (code === undefined ? 'UNAVAILABLE' : errorFacts[code].status);
    this.errorCode = code === undefined ? undefined : prefix + code;
  }
}

export const isErrorCode = (code: string): code is PubSubErrorCode => Object.hasOwn(errorFacts, code);

export const topicNotFound = (orgId: string, topic: string) =>
  new PubSubError('topic.not.found', {
    message:
      `The topic information for org CORE/prod/${orgId} and topic ${topic} not found. ` +
      'Ensure the topic name is correct and that the topic exists.',
  });
