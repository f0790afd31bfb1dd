import {
  AccessDeniedError,
  NotConnectedError,
  RequestRefusedError,
  SyncError,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';

const REACH = 'Is a broker running at the addresses, does it advertise names that this machine can reach, and does it speak TLS?';
const LOGIN = 'Check mechanism, user and password of sasl:.';
const RIGHTS =
  'Grant the user of this connection what it needs: Describe and Read on topics that are read; Describe, Write and (for those that are made) Create on topics that are written; Describe and Write on its transactional ids; all of it on the state topic.';

/** By the name that the protocol gives to an error: what the engine does next, and what somebody can do about it. */
const FAULTS: Readonly<Record<string, readonly ['denied' | 'refused' | 'passing', string?]>> = {
  SASL_AUTHENTICATION_FAILED: ['denied', LOGIN],
  UNSUPPORTED_SASL_MECHANISM: ['denied', 'The brokers take another mechanism: set sasl: { mechanism: … }.'],
  ILLEGAL_SASL_STATE: ['denied', 'The brokers want no login here, or another listener does: check addresses, tls and sasl.'],
  TOPIC_AUTHORIZATION_FAILED: ['denied', RIGHTS],
  GROUP_AUTHORIZATION_FAILED: ['denied', RIGHTS],
  CLUSTER_AUTHORIZATION_FAILED: ['denied', RIGHTS],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ['denied', RIGHTS],
  UNKNOWN_TOPIC_OR_PARTITION: ['refused', 'Check its name; a target makes a topic when create: allows it.'],
  UNKNOWN_TOPIC_ID: ['refused', 'The topic was deleted or made anew while it was used.'],
  INVALID_TOPIC_EXCEPTION: ['refused', 'A name of a topic takes letters, digits and . _ -, at most 249 of them.'],
  INVALID_REPLICATION_FACTOR: [
    'refused',
    'There are fewer brokers than replicas asked for: set replicas: lower, or add brokers.',
  ],
  INVALID_PARTITIONS: ['refused', 'Set partitions: to 1 or more.'],
  INVALID_CONFIG: ['refused'],
  POLICY_VIOLATION: ['refused', 'A policy of the cluster forbids it: have its operators make the topic.'],
  UNKNOWN_MEMBER_ID: ['refused', 'Others use this group: name one that is only for this sync.'],
  NON_EMPTY_GROUP: ['refused', 'Others use this group: name one that is only for this sync.'],
  INVALID_GROUP_ID: ['refused', 'Name another group.'],
  UNSUPPORTED_VERSION: ['refused', 'Kafka 3.1 or newer is needed.'],
  NOT_ENOUGH_REPLICAS: ['passing', 'Fewer replicas are in sync than min.insync.replicas of the topic asks for.'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: ['passing', 'Fewer replicas are in sync than min.insync.replicas of the topic asks for.'],
};

/** Answers to a producer whose transactional id another one has taken over, or whose transaction was ended for it. */
const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'];

/** Answers to records that the broker does not take, whoever sends them. */
const REFUSED_RECORDS = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'];

export const isFenced = (error: unknown) => idsOf(error).some((id) => FENCED.includes(id));

/** The broker's own word for why it does not take these records; null when it is something else. */
export const refusalOf = (error: unknown) => idsOf(error).find((id) => REFUSED_RECORDS.includes(id)) ?? null;

/** What the engine does next. Neither user nor password are in what the driver says; the addresses are. */
export function faultOf(error: unknown): unknown {
  if (error instanceof SyncError || !(error instanceof Error)) return error;
  const ids = idsOf(error);
  const id = ids.find((each) => each in FAULTS);
  const message = wordsOf(error);
  if (id !== undefined) {
    const [kind, hint] = FAULTS[id]!;
    const options = { cause: error, ...(hint !== undefined && { hint }) };
    if (kind === 'denied') return new AccessDeniedError(message, options);
    return kind === 'refused' ? new RequestRefusedError(message, options) : new TransientError(message, options);
  }
  const codes = causesOf(error).map((each) => (each as { code?: unknown }).code);
  if (codes.includes('PLT_KFK_AUTHENTICATION')) return new AccessDeniedError(message, { cause: error, hint: LOGIN });
  const unknown = causesOf(error).find((each) => /^Unknown topic /.test(each.message));
  if (unknown !== undefined) {
    const hint = FAULTS.UNKNOWN_TOPIC_OR_PARTITION![1];
    return new RequestRefusedError(unknown.message.replace(/\.$/, ''), { cause: error, ...(hint !== undefined && { hint }) });
  }
  if (codes.some((code) => code === 'PLT_KFK_NETWORK' || /^(E[A-Z]+|ERR_SSL.*|ERR_TLS.*)$/.test(String(code)))) {
    return new NotConnectedError(`Kafka does not answer: ${message}`, { cause: error, hint: REACH });
  }
  if (codes.some((code) => /^PLT_KFK_UNSUPPORTED/.test(String(code)))) return new UnexpectedReplyError(message, { cause: error });
  if (ids.length > 0 || codes.some((code) => /^PLT_KFK_/.test(String(code))))
    return new TransientError(message, { cause: error });
  return error;
}

/** @throws what the engine acts upon */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw faultOf(error);
  }
}

/** The error and all that it was made of. */
function causesOf(error: unknown, depth = 0): Error[] {
  if (!(error instanceof Error) || depth > 8) return [];
  const inner = error instanceof AggregateError ? error.errors : [];
  return [error, ...[...inner, error.cause].flatMap((each) => causesOf(each, depth + 1))];
}

function idsOf(error: unknown): string[] {
  return causesOf(error).flatMap((each) => {
    const { apiId } = each as { apiId?: unknown };
    return typeof apiId === 'string' ? [apiId] : [];
  });
}

/** What the innermost errors say, once each. */
function wordsOf(error: Error): string {
  const innermost = causesOf(error).filter((each) => causesOf(each).length === 1);
  return [...new Set(innermost.map(({ message }) => message).filter(Boolean))].join('; ') || error.message;
}
