import type { Attributes } from '@opentelemetry/api';
import { openTelemetry } from './tracing.ts';

const severities = { debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

/** By which a line is found beside the trace of what wrote it. */
export function traceIds(): { readonly trace_id?: string; readonly span_id?: string } {
  const open = openTelemetry()?.trace.getActiveSpan()?.spanContext();
  return open === undefined ? {} : { trace_id: open.traceId, span_id: open.spanId };
}

/** Exports a line of the log as it is written, and so without secrets (P10). The trace that is open comes along by itself. */
export function exportLine(line: string): void {
  const api = openTelemetry();
  const logger = api?.logs.getLogger('tidemark');
  if (!api || !logger?.enabled()) return;
  const { level, time, msg, trace_id: _, span_id: __, ...data } = JSON.parse(line) as Record<string, unknown>;
  logger.emit({
    timestamp: new Date(String(time)),
    severityNumber: api.SeverityNumber[severities[level as keyof typeof severities]],
    severityText: String(level),
    body: String(msg),
    attributes: attributesOf(data),
  });
}

/** What is deeper goes as JSON, so that every backend can show it; errors by the names that backends know them by. */
function attributesOf({ err, ...data }: Record<string, unknown>): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(data)) {
    if (value === null || value === undefined) continue;
    attributes[name] = typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean);
  }
  const { name, message, stack, code } = (err ?? {}) as Record<string, string | undefined>;
  const exception = { 'exception.type': code ?? name, 'exception.message': message, 'exception.stacktrace': stack };
  for (const [key, value] of Object.entries(exception)) if (value !== undefined) attributes[key] = value;
  return attributes;
}
