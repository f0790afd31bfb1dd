/**
 * Faults are data: what goes wrong, for which requests, how often. The same shape is used in process and, as JSON, by
 * the backdoor.
 */

/** What goes wrong. The table `faultKinds` in `fault-kinds.ts` says where each one strikes and which parameters it takes. */
export type FaultKind =
  | 'unauthorized'
  | 'limit-exceeded'
  | 'unavailable'
  | 'timeout'
  | 'drop'
  | 'truncate'
  | 'slow'
  | 'clock-skew'
  | 'lost-response'
  | 'api-error'
  | 'expired-locator'
  | 'short-page'
  | 'garbled-count'
  | 'job-failed'
  | 'job-aborted'
  | 'row-lock'
  | 'row-error'
  | 'job-slow'
  | 'row-errors'
  | 'upload-failed'
  | 'rpc-error'
  | 'rpc-silent'
  | 'publish-reply-lost'
  | 'stream-error'
  | 'stream-drop'
  | 'stream-silent'
  | 'stream-slow'
  | 'stream-split'
  | 'stream-duplicate'
  | 'cometd-error'
  | 'cometd-unknown-client'
  | 'gap-event'
  | 'overflow-event'
  | 'lost-event'
  | 'duplicate-event'
  | 'expired-replay-id';

/** Which requests a fault meets. Every condition given must hold; none given means every request it could apply to. */
export interface FaultMatch {
  /** For faults of events: `CREATE` and the other change types, `PUBLISH` for a platform event, `REPLAY` for a subscriber's replay id. */
  method?: string;
  /** A prefix of the decoded path and query, or (in process) a pattern tested against them. */
  path?: string | RegExp;
  /** The source of a regular expression tested against the decoded path and query: `path` for JSON. */
  pattern?: string;
  /** For faults of gRPC: the method's name, as in `Subscribe`. For CometD the channel of the message: `/meta/connect`. */
  rpc?: string;
  /** For faults of gRPC, CometD and of events: the topic in full. `pattern` is tested against it too. */
  topic?: string;
  /** Only the nth matching request, counted from 1 when the fault was added. */
  nth?: number;
  /** Only requests after this many matching ones have passed: a fault in the middle of a run. */
  after?: number;
  /** At most this many times. */
  times?: number;
  /** Only this share of the matching requests, drawn from `seed`, so that a run can be repeated. */
  probability?: number;
  seed?: number;
}

export type FaultParameter = string | number | boolean;

export interface FaultSpec {
  kind: FaultKind;
  match?: FaultMatch;
  params?: Record<string, FaultParameter>;
}

export interface FaultStatus {
  id: string;
  kind: FaultKind;
  match: FaultMatch;
  params: Record<string, FaultParameter>;
  /** Requests (for `row-lock` and `row-error`: rows) that met `method` and `path`. */
  matched: number;
  fired: number;
}

/** A fault that strikes the request at hand. */
export interface FiredFault {
  id: string;
  kind: FaultKind;
  params: Record<string, FaultParameter>;
}
