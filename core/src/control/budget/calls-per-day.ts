import { Cron } from 'croner';
import type { ScheduleConfig } from '../../config/config.ts';
import type { Source } from '../../model/connector.ts';
import { WINDOW_MS } from './call-ledger.ts';

/** A week tells what a pattern of weekdays comes to. */
const DAYS = 7;

/** How often a schedule comes round in 24 hours, on average. */
export function runsPerDay(schedule: ScheduleConfig | null, nowMs: number): number {
  if (schedule === null) return 0;
  if (schedule.kind === 'every') return WINDOW_MS / schedule.everyMs;
  const cron = new Cron(schedule.cron, { timezone: schedule.timezone, paused: true });
  let runs = 0;
  let at = cron.nextRun(new Date(nowMs));
  for (const untilMs = nowMs + DAYS * WINDOW_MS; at !== null && at.getTime() < untilMs; runs++) at = cron.nextRun(at);
  return runs / DAYS;
}

/** What reading one source costs: everything, and a day of its schedules. Null where its system counts no calls, or it cannot be told. */
export async function readingCost(
  source: Pick<Source, 'cost'>,
  { schedule, full }: { readonly schedule: ScheduleConfig | null; readonly full: ScheduleConfig | null },
  nowMs: number,
  signal: AbortSignal,
): Promise<{ readonly delta: number | null; readonly full: number | null; readonly perDay: number | null }> {
  const delta = (await source.cost?.('delta', signal)) ?? null;
  const whole = (await source.cost?.('full', signal)) ?? null;
  const [deltas, fulls] = [runsPerDay(schedule, nowMs), runsPerDay(full, nowMs)];
  const perDay = delta === null || (whole === null && fulls > 0) ? null : deltas * delta + fulls * (whole ?? 0);
  return { delta, full: whole, perDay };
}
