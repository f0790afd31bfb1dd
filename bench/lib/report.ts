import { cpus, loadavg } from 'node:os';
import { rounded } from './statistics.ts';

export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** What every bench prints: absolute figures of this machine, and the ratios that matter. */
export interface BenchReport {
  readonly bench: string;
  readonly rows: number;
  readonly results: readonly Result[];
  readonly ratios: {
    readonly toLimit: number | null;
    readonly toBaseline: number | null;
    readonly [name: string]: number | null;
  };
  /** What could not be measured here, and what it needs. */
  readonly notes: readonly string[];
}

export function print(report: BenchReport, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const cpu = cpus();
  console.log(
    `${report.bench}, ${report.rows.toLocaleString('en')} rows; ${cpu.length} x ${cpu[0]?.model}, load ${loadavg()[0]!.toFixed(1)}, Node ${process.version}`,
  );
  const width = Math.max(
    ...report.results.map((result) => result.name.length),
    ...Object.keys(report.ratios).map((name) => name.length + 7),
  );
  for (const { name, value, unit } of report.results)
    console.log(`  ${name.padEnd(width)}  ${value.toLocaleString('en').padStart(12)} ${unit}`);
  for (const [name, value] of Object.entries(report.ratios)) {
    if (value !== null) console.log(`  ratio ${name.padEnd(width - 6)}  ${rounded(value, 3).toLocaleString('en').padStart(12)}`);
  }
  for (const note of report.notes) console.log(`  note: ${note}`);
}

/** Progress of a long bench: on stderr, so that stdout stays the result. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
