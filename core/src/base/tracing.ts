import { SyncError } from './errors.ts';

type OpenTelemetry = typeof import('@opentelemetry/api');

export type Attributes = Readonly<Record<string, string | number>>;

/** Work under way, as far as it is told of. */
export interface Span {
  setAttribute(name: string, value: string | number): unknown;
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { readonly code: number }): unknown;
}

/** Null until the process is told to export traces and logs: the interface alone would cost each start 5 MB (P9). */
let api: OpenTelemetry | null = null;

const untold: Span = { setAttribute() {}, setAttributes() {}, setStatus() {} };

/** From now on spans and lines of the log go to whatever is registered there. */
export function exportBy(openTelemetry: OpenTelemetry): void {
  api = openTelemetry;
}

export function openTelemetry(): OpenTelemetry | null {
  return api;
}

/**
 * Does the work within a span, a child of the one that is open. Attributes leave the process: names and counts, never values of
 * records, and of URLs at most the host.
 *
 * @param kind  `client` asks something of another system
 */
export function traced<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
  kind: 'internal' | 'client' = 'internal',
): Promise<T> {
  if (api === null) return work(untold);
  const { trace, SpanKind } = api;
  const options = { attributes, kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL };
  return trace.getTracer('tidemark').startActiveSpan(`tidemark.${name}`, options, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      markFailed(span, error instanceof SyncError ? error.code : ((error as Error | undefined)?.name ?? 'unknown'));
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Why is told by a code alone: what systems answer may hold values. The log has it all, by the same trace id. */
export function markFailed(span: Span, code: string): void {
  if (api === null) return;
  span.setStatus({ code: api.SpanStatusCode.ERROR });
  span.setAttribute('error.type', code);
}
