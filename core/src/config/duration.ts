const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const dayMs = 86_400_000;

const short = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/;
const iso = /^([+-])?P(?!$)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/**
 * Milliseconds of `10s`, `1h30m`, `250ms`, `P1D` or `-PT90S`; null when it is none of these.
 * A month counts 30 days and a year 365: these are stretches, not calendar dates.
 */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (short.test(trimmed)) {
    let totalMs = 0;
    for (const [, count, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) totalMs += Number(count) * units[unit!]!;
    return safe(totalMs);
  }
  const match = iso.exec(trimmed);
  if (match === null) return null;
  const [, sign, years, months, weeks, days, hours, minutes, seconds] = match;
  const part = (count: string | undefined, unitMs: number) => (count === undefined ? 0 : Number(count) * unitMs);
  const totalMs =
    part(years, 365 * dayMs) +
    part(months, 30 * dayMs) +
    part(weeks, 7 * dayMs) +
    part(days, dayMs) +
    part(hours, 3_600_000) +
    part(minutes, 60_000) +
    part(seconds, 1000);
  return safe(sign === '-' ? -totalMs : totalMs);
}

function safe(ms: number): number | null {
  const whole = Math.round(ms);
  return Number.isSafeInteger(whole) ? whole : null;
}

/** `90000` as `1m30s`: what `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / units[unit]!);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * units[unit]!;
  }
  return text;
}
