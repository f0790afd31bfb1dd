const dayMs = 24 * 60 * 60 * 1000;

/**
 * The span that a date literal names, as days: from `start` up to, not including, `end`. Weeks begin on Sunday;
 * fiscal years are calendar years. SOQL Reference, "Date Formats and Date Literals".
 * @param nowMs  Any time of the present day in UTC.
 */
export function dateRange(name: string, n: number, nowMs: number): { start: string; end: string } | undefined {
  const today = Math.floor(nowMs / dayMs) * dayMs;
  const days = (from: number, to: number) => span(today + from * dayMs, today + to * dayMs);
  switch (name) {
    case 'TODAY':
      return days(0, 1);
    case 'YESTERDAY':
      return days(-1, 0);
    case 'TOMORROW':
      return days(1, 2);
    case 'LAST_90_DAYS':
      return days(-90, 1);
    case 'NEXT_90_DAYS':
      return days(1, 91);
    case 'LAST_N_DAYS':
      return days(-n, 1);
    case 'NEXT_N_DAYS':
      return days(1, n + 1);
    case 'N_DAYS_AGO':
      return days(-n, -n + 1);
  }
  const match =
    /^(LAST|THIS|NEXT)_(?:FISCAL_)?(WEEK|MONTH|QUARTER|YEAR)$/.exec(name) ??
    /^(LAST_N|NEXT_N)_(?:FISCAL_)?(WEEK|MONTH|QUARTER|YEAR)S$/.exec(name) ??
    /^N_(?:FISCAL_)?(WEEK|MONTH|QUARTER|YEAR)S_(AGO)$/.exec(name);
  if (!match) return undefined;
  const ago = match[2] === 'AGO';
  const unit = (ago ? match[1] : match[2])!;
  const border = (offset: number) => unitStart(today, unit, offset);
  switch (ago ? 'AGO' : match[1]) {
    case 'THIS':
      return span(border(0), border(1));
    case 'LAST':
      return span(border(-1), border(0));
    case 'NEXT':
      return span(border(1), border(2));
    case 'LAST_N':
      return span(border(-n), border(0));
    case 'NEXT_N':
      return span(border(1), border(n + 1));
    default:
      return span(border(-n), border(-n + 1));
  }
}

/** The first day of the unit that lies `offset` units from the present one. */
function unitStart(today: number, unit: string, offset: number): number {
  const date = new Date(today);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  switch (unit) {
    case 'WEEK':
      return today - date.getUTCDay() * dayMs + offset * 7 * dayMs;
    case 'MONTH':
      return Date.UTC(year, month + offset, 1);
    case 'QUARTER':
      return Date.UTC(year, month - (month % 3) + 3 * offset, 1);
    default:
      return Date.UTC(year + offset, 0, 1);
  }
}

function span(startMs: number, endMs: number): { start: string; end: string } {
  return { start: new Date(startMs).toISOString().slice(0, 10), end: new Date(endMs).toISOString().slice(0, 10) };
}
