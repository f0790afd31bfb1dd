import type { Counter, Gauge, Histogram } from 'prom-client';

/** Makes what is measured. Names get our prefix; labels name what a configuration names, so that there are only so many of them. */
export interface Meter {
  counter<T extends string>(name: string, help: string, labels: readonly T[]): Counter<T>;
  gauge<T extends string>(name: string, help: string, labels: readonly T[]): Gauge<T>;
  histogram<T extends string>(name: string, help: string, labels: readonly T[], buckets: readonly number[]): Histogram<T>;
}

export interface Registered extends Meter {
  readonly contentType: string;
  text(): Promise<string>;
}

const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** The process's own are among them. The library is loaded by whoever serves metrics. */
export async function openMeter(): Promise<Registered> {
  const { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } = await import('prom-client');
  const register = new Registry();
  collectDefaultMetrics({ register });
  // Gauges by the names of counters; each has a sibling that tells the same by type.
  for (const name of MISNAMED) register.removeSingleMetric(name);
  const common = <T extends string>(name: string, help: string, labelNames: readonly T[]) => ({
    ...{ name: `tidemark_${name}`, help, labelNames, registers: [register] },
  });
  return {
    contentType: register.contentType,
    text: () => register.metrics(),
    counter: (name, help, labels) => new Counter(common(name, help, labels)),
    gauge: (name, help, labels) => new Gauge(common(name, help, labels)),
    histogram: (name, help, labels, buckets) => new Histogram({ ...common(name, help, labels), buckets: [...buckets] }),
  };
}
