import type { FaultKind } from './types.ts';

/**
 * `wire` faults strike an HTTP exchange once, as a network or a front-end server would; `resource` faults strike the
 * answer of one REST resource, and so also a subrequest of a Composite call.
 */
export type FaultLevel = 'wire' | 'resource';

interface FaultKindFacts {
  level: FaultLevel;
  /** Requests that the fault can apply to; others are not counted as matched. */
  only?: RegExp;
  params: readonly string[];
}

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
  'expired-locator': { level: 'resource', only: /\/(query|queryAll)\/01g|[?&]locator=/, params: ['message'] },
  'short-page': { level: 'resource', only: anyResult, params: ['records'] },
  'garbled-count': { level: 'resource', only: /\/jobs\/query\/[^/]+\/results([?]|$)/, params: ['value', 'add'] },
  'job-failed': { level: 'resource', only: /\/jobs\/query\/[^/?]+$/, params: ['errorMessage'] },
  'job-aborted': { level: 'resource', only: /\/jobs\/query\/[^/?]+$/, params: [] },
};
