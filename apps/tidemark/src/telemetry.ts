import { exportBy, registerSecret, scrub } from '@tidemark/core';

/** Any of these asks for traces and logs to be exported (OpenTelemetry's "Environment Variable Specification"). */
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'];
const EXPORTERS = ['OTEL_TRACES_EXPORTER', 'OTEL_LOGS_EXPORTER'];
const HEADERS = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_LOGS_HEADERS'];
/** A collector that does not answer keeps nobody from ending. */
const FLUSH_MS = 5000;

/** What is exported; once disposed, everything has been, or has been given up. */
export type Telemetry = AsyncDisposable;

/**
 * Exports traces and logs where the environment asks for it. Without that nothing of it is loaded: it costs memory, and time at each
 * start (P9).
 *
 * @param env  the process's own: the SDK reads the rest of its settings there
 * @param say  told of what keeps them from being exported
 */
export async function startTelemetry(env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<Telemetry | null> {
  if (!isAskedFor(env)) return null;
  for (const name of HEADERS) for (const value of headerValues(env[name])) registerSecret(value);
  const [{ NodeSDK }, api, resources] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/api'),
    import('@opentelemetry/resources'),
  ]);
  if (env.OTEL_LOG_LEVEL === undefined) api.diag.setLogger(sayOnce(say), { logLevel: api.DiagLogLevel.WARN });
  const sdk = new NodeSDK({
    // `/metrics` has them.
    metricReaders: [],
    // Not the process's: its command line is nobody's business.
    ...(env.OTEL_NODE_RESOURCE_DETECTORS === undefined && {
      resourceDetectors: [
        resources.serviceInstanceIdDetector,
        resources.hostDetector,
        resources.osDetector,
        resources.envDetector,
      ],
    }),
    ...(namesService(env) ? {} : { serviceName: 'tidemark' }),
  });
  sdk.start();
  exportBy(api);
  return {
    async [Symbol.asyncDispose]() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, FLUSH_MS);
      await Promise.race([sdk.shutdown().catch(() => {}), late.promise]);
      clearTimeout(timer);
    },
  };
}

function isAskedFor(env: NodeJS.ProcessEnv): boolean {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false;
  const exporters = EXPORTERS.map((name) => env[name]?.trim() ?? '');
  if (exporters.every((exporter) => exporter === 'none')) return false;
  return (
    ENDPOINTS.some((name) => (env[name] ?? '') !== '') || exporters.some((exporter) => exporter !== '' && exporter !== 'none')
  );
}

function namesService({ OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES }: NodeJS.ProcessEnv): boolean {
  return (OTEL_SERVICE_NAME ?? '') !== '' || /(?:^|,)\s*service\.name\s*=/.test(OTEL_RESOURCE_ATTRIBUTES ?? '');
}

/** `name=value,name=value`, values percent-encoded: what a collector lets us in with. */
function headerValues(headers = ''): readonly string[] {
  return headers.split(',').flatMap((header) => {
    const value = header.slice(header.indexOf('=') + 1).trim();
    // `Bearer …`: what follows is the secret.
    return [value, decoded(value), decoded(value).split(' ').at(-1)!];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A collector that is away is told of once, and not with each of the batches that it misses. */
function sayOnce(say: (line: string) => void) {
  const said = new Set<string>();
  const warn = (message: string) => {
    const text = scrub(message);
    if (!said.has(text) && said.size < 20) say(`telemetry: ${text}\n`);
    said.add(text);
  };
  const silent = () => {};
  return { error: warn, warn, info: silent, debug: silent, verbose: silent };
}
