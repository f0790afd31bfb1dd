import type { Clock } from '../base/clock.ts';
import type { Problem } from '../base/errors.ts';
import type { Allowance, Connection } from '../model/connector.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';

/** An allowance of a connection, and how it will fare if use goes on as it did lately. */
export interface AllowanceStatus extends Allowance {
  readonly connection: string;
  readonly asOfMs: number;
  /** By so much what counts as used has grown in an hour; null when it is not yet known. */
  readonly perHour: number | null;
  /** When nothing will be left; null when it lasts. */
  readonly spentAtMs: number | null;
}

/** A request each. */
const LOOK_MS = 600_000;
/** The pace is that of so much time, at most and at least. */
const PACE_MS_MAX = 3_600_000;
const PACE_MS_MIN = 240_000;
const HOUR_MS = 3_600_000;

type Sample = readonly [atMs: number, used: number];
interface Watched extends Omit<Allowance, 'used'> {
  readonly samples: readonly Sample[];
}

/**
 * How an allowance over a moving window will fare. What counts as used grows by what is used and shrinks by what was used a window
 * ago; its growth is what decides, so that a day like the last one gives no alarm.
 */
export function forecast(allowance: Omit<Allowance, 'used'>, samples: readonly Sample[]): Omit<AllowanceStatus, 'connection'> {
  const { name, max, windowMs } = allowance;
  const [nowMs, used] = samples.at(-1)!;
  const base = samples.find(([atMs]) => nowMs - atMs <= PACE_MS_MAX)!;
  const overMs = nowMs - base[0];
  const perHour = overMs < PACE_MS_MIN ? null : ((used - base[1]) / overMs) * HOUR_MS;
  const leftMs =
    used >= max ? 0 : perHour === null || perHour <= 0 ? Number.POSITIVE_INFINITY : ((max - used) / perHour) * HOUR_MS;
  // Later than that, what is used now counts no more.
  const spentAtMs = leftMs <= windowMs ? nowMs + leftMs : null;
  return { name, used, max, windowMs, asOfMs: nowMs, perHour, spentAtMs };
}

export interface AllowanceOptions {
  readonly store: Pick<Store, 'getValue' | 'setValue'>;
  readonly clock: Clock;
  readonly log: Log;
  connection(name: string): Pick<Connection, 'allowances'>;
}

/** Asks what is used now, and keeps it beside what was before. */
export async function readAllowances(
  name: string,
  { store, clock, connection }: AllowanceOptions,
  signal: AbortSignal,
): Promise<readonly AllowanceStatus[]> {
  const found = (await connection(name).allowances?.(signal)) ?? [];
  const before = await kept(name, store);
  const watched = found.map(({ used, ...allowance }): Watched => {
    const known = before.find((each) => each.name === allowance.name && each.max === allowance.max)?.samples ?? [];
    const recent = known.filter(([atMs]) => atMs <= clock.now() && clock.now() - atMs <= PACE_MS_MAX);
    return { ...allowance, samples: [...recent, [clock.now(), used]] };
  });
  if (watched.length > 0) await store.setValue(valueName(name), JSON.stringify(watched));
  return watched.map((each) => ({ connection: name, ...forecast(each, each.samples) }));
}

/** Of all connections, as they were last asked for, by this process or another one. */
export async function keptAllowances(store: Pick<Store, 'values'>): Promise<readonly AllowanceStatus[]> {
  const values = await store.values(valueName(''));
  return [...values].flatMap(([name, value]) => {
    const connection = name.slice(valueName('').length);
    return (JSON.parse(value) as readonly Watched[]).map((each) => ({ connection, ...forecast(each, each.samples) }));
  });
}

/** Looks at the allowances of these connections until `stop`, and says so once when one of them will not last. */
export async function watchAllowances(names: readonly string[], options: AllowanceOptions, stop: AbortSignal): Promise<void> {
  const { clock, log } = options;
  const told = new Set<string>();
  while (!stop.aborted && names.length > 0) {
    for (const connection of names) {
      try {
        for (const status of await readAllowances(connection, options, stop)) {
          const id = `${connection} ${status.name}`;
          if (status.spentAtMs === null) told.delete(id);
          else if (!told.has(id)) {
            told.add(id);
            log.warn({ connection }, describeAllowance(status));
          }
        }
      } catch (error) {
        if (!stop.aborted) log.debug({ connection, err: error }, 'what is used of the allowances could not be asked');
      }
    }
    await clock.sleep(LOOK_MS, stop).catch(() => {});
  }
}

/** Only what will not last. */
export function allowanceProblems(statuses: readonly AllowanceStatus[]): readonly Problem[] {
  return statuses
    .filter(({ spentAtMs }) => spentAtMs !== null)
    .map((status) => ({
      place: `connections.${status.connection}`,
      message: describeAllowance(status),
      hint:
        status.name === 'requests'
          ? 'Let syncs run less often, or raise the allowance'
          : 'Every subscriber of every channel counts. Once they are spent, live syncs poll every minute until some are free again',
      severity: 'warning',
    }));
}

/** `8,120 of 10,000 event deliveries of 24 hours are used, 400 an hour: spent by 2026-03-04T14:30Z at this pace`. */
export function describeAllowance({ name, used, max, windowMs, perHour, spentAtMs, asOfMs }: AllowanceStatus): string {
  const hours = windowMs / HOUR_MS;
  const count = (value: number) => Math.round(value).toLocaleString('en-US');
  const pace = perHour === null || perHour < 1 ? '' : `, ${count(perHour)} more an hour`;
  const end =
    spentAtMs === null ? '' : spentAtMs <= asOfMs ? ': none are left' : `: spent by ${minuteOf(spentAtMs)} at this pace`;
  return `${count(used)} of ${count(max)} ${name} of ${hours} hours are used${pace}${end}`;
}

function minuteOf(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
}

async function kept(connection: string, store: Pick<Store, 'getValue'>): Promise<readonly Watched[]> {
  return JSON.parse((await store.getValue(valueName(connection))) ?? '[]');
}

function valueName(connection: string): string {
  return `allowances of ${connection}`;
}
