import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { SyncError } from './errors.ts';

export { type Attributes, type Span, SpanKind } from '@opentelemetry/api';

/** Does nothing until the process is told to export traces. */
const tracer = trace.getTracer('tidemark');

/**
 * Does the work within a span, a child of the one that is open. Attributes leave the process: names and counts, never values of
 * records, and of URLs at most the host.
 */
export function traced<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
  kind: SpanKind = SpanKind.INTERNAL,
): Promise<T> {
  return tracer.startActiveSpan(`tidemark.${name}`, { attributes, kind }, async (span) => {
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
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute('error.type', code);
}
