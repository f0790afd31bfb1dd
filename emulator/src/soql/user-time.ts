import type { Store } from '../org/store.ts';
import { stampOf } from '../org/values.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** How date literals are understood: by the org's clock, in the time zone of the user who asks (SOQL Reference, "Date Literals"). */
export interface UserTime {
  /** The user's calendar day, as its midnight in UTC. */
  today(): number;
  /** When a calendar day begins for the user, as datetimes are stored. */
  startOf(day: string): string;
}

/** @param timeZone  Asked only by queries with a date literal. */
export function createUserTime(nowMs: number, timeZone: () => string): UserTime {
  return {
    today: () => Math.floor((nowMs + offsetMs(nowMs, timeZone())) / dayMs) * dayMs,
    startOf(day) {
      const zone = timeZone();
      const midnight = Date.parse(`${day}T00:00:00Z`);
      // The offset of the day's beginning, which need not be that of the same moment in UTC.
      return stampOf(midnight - offsetMs(midnight - offsetMs(midnight, zone), zone));
    },
  };
}

export function timeZoneOf({ whole: store }: Store, userId: string | undefined): string {
  const users = store.table('User');
  const zone = users && userId !== undefined ? store.row(users, userId)?.TimeZoneSidKey : undefined;
  return typeof zone === 'string' ? zone : 'UTC';
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const numeric = 'numeric';
  const shown = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric } as const;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...shown });
  formats.set(timeZone, format);
  return format;
}

/** By how much the zone's clocks are ahead of UTC. */
function offsetMs(atMs: number, timeZone: string): number {
  if (timeZone === 'UTC' || timeZone === 'GMT') return 0;
  const part = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, Number(value)]),
  ) as Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', number>;
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - Math.floor(atMs / 1000) * 1000;
}
