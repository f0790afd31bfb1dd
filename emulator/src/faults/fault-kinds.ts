import type { FaultKind, FaultParameter } from './types.ts';

/**
 * `wire` faults strike an HTTP exchange once, as a network or a front-end server would; `resource` faults strike the
 * answer of one REST resource, and so also a subrequest of a Composite call. `rpc` faults strike a gRPC call as it begins
 * (of a stream: its first request; of PublishStream: every request); `stream` faults strike a message that a
 * subscription is about to deliver, keepalives among them; over CometD the RPC that delivers is `/meta/connect`. `cometd`
 * faults strike a Bayeux message that comes in: the RPC is its channel, the topic what it subscribes to. `row` faults
 * strike a row that a client's write wants to lock, its parents' rows too, as `LOCK /sobjects/Account/001…`. `event` faults
 * strike an event as it gets on the bus (the method is its change type, or `PUBLISH`; the URL is its own topic) and who
 * comes with a replay id (`REPLAY`).
 */
export type FaultLevel = 'wire' | 'resource' | 'rpc' | 'stream' | 'row' | 'event' | 'cometd';

interface FaultKindFacts {
  level: FaultLevel;
  /** Requests that the fault can apply to; others are not counted as matched. */
  only?: RegExp;
  /** The same for methods. */
  methods?: RegExp;
  params: readonly string[];
  /** The same for kinds whose parameters narrow what they meet. */
  meets?: (params: Readonly<Record<string, FaultParameter>>, url: string) => boolean;
}

/** A job that is asked for, closed or aborted; ingest jobs can be met where they are created, too. */
const anyIngestJob = /\/jobs\/ingest(\/[^/?]+)?\/?$/;
const anyJob = new RegExp(`/jobs/query/[^/?]+$|${anyIngestJob.source}`);
/** `share` of the rows is what `probability` is of the requests. */
const isOfObject: FaultKindFacts['meets'] = ({ object }, url) => object === undefined || url.startsWith(`/sobjects/${object}/`);
const anyResult = /\/(query|queryAll)([?/]|$)|\/jobs\/query\/[^/]+\/results([?]|$)/;

export const faultKinds: Record<FaultKind, FaultKindFacts> = {
  unauthorized: { level: 'wire', only: /^\/services\/(data\/|oauth2\/userinfo)|^\/id\//, params: ['revoke', 'message'] },
  'limit-exceeded': { level: 'wire', only: /^\/services\/data\//, params: ['message'] },
  unavailable: { level: 'wire', params: ['status', 'body'] },
  timeout: { level: 'wire', params: ['holdMs'] },
  drop: { level: 'wire', params: ['afterBytes'] },
  truncate: { level: 'wire', params: ['afterBytes'] },
  slow: { level: 'wire', params: ['delayMs', 'bytesPerSecond'] },
  'clock-skew': { level: 'wire', params: ['skewMs'] },
  'lost-response': { level: 'wire', params: [] },
  'api-error': { level: 'resource', params: ['status', 'code', 'message'] },
  'expired-locator': { level: 'resource', only: /\/(query|queryAll)\/01g|[?&]locator=/, params: ['message'] },
  'short-page': { level: 'resource', only: anyResult, params: ['records'] },
  'garbled-count': { level: 'resource', only: /\/jobs\/query\/[^/]+\/results([?]|$)/, params: ['value', 'add'] },
  'job-failed': { level: 'resource', only: anyJob, params: ['errorMessage', 'afterRecords', 'retries'] },
  'job-aborted': { level: 'resource', only: anyJob, params: ['afterRecords'] },
  'job-slow': { level: 'resource', only: anyIngestJob, params: ['delayMs'] },
  'row-errors': { level: 'resource', only: anyIngestJob, params: ['share', 'seed', 'code', 'message', 'fields'] },
  'upload-failed': { level: 'resource', only: /\/jobs\/ingest\/[^/]+\/batches([/?]|$)/, params: ['afterBytes', 'status'] },
  'row-lock': { level: 'row', params: ['object', 'share'], meets: isOfObject },
  'row-error': { level: 'row', params: ['object', 'share', 'code', 'message', 'fields'], meets: isOfObject },
  'rpc-error': { level: 'rpc', params: ['code', 'status', 'message', 'revoke'] },
  'rpc-silent': { level: 'rpc', params: [] },
  'publish-reply-lost': { level: 'rpc', methods: /^Publish/, params: ['connection'] },
  'stream-error': { level: 'stream', params: ['code', 'status', 'message', 'revoke', 'events'] },
  'stream-drop': { level: 'stream', params: ['events'] },
  'stream-silent': { level: 'stream', params: [] },
  'stream-slow': { level: 'stream', params: ['delayMs'] },
  'stream-split': { level: 'stream', params: ['events'] },
  'stream-duplicate': { level: 'stream', params: [] },
  'cometd-error': { level: 'cometd', params: ['error', 'reconnect', 'intervalMs', 'status', 'revoke'] },
  'cometd-unknown-client': { level: 'cometd', params: ['all'] },
  'gap-event': { level: 'event', methods: /^(CREATE|UPDATE|DELETE|UNDELETE)$/, params: [] },
  'overflow-event': { level: 'event', methods: /^(CREATE|UPDATE|DELETE|UNDELETE)$/, params: [] },
  'lost-event': { level: 'event', methods: /^(?!REPLAY$)/, params: [] },
  'duplicate-event': { level: 'event', methods: /^(?!REPLAY$)/, params: [] },
  'expired-replay-id': { level: 'event', methods: /^REPLAY$/, params: [] },
};
