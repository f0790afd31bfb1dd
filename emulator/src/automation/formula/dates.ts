import { parseDate, stampOf } from '../../org/values.ts';
import { FormulaFailure } from './types.ts';

/** Dates and times in formulas, in UTC: as text they sort as time does. */

export const dayMs = 86_400_000;

export const msOf = (text: string): number => Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text);

export function dateOf(ms: number): string {
  const day = Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? parseDate(new Date(ms).toISOString().slice(0, 10)) : undefined;
  if (day === undefined) throw new FormulaFailure('no such date');
  return day;
}

export function datetimeOf(ms: number): string {
  dateOf(ms);
  return stampOf(ms);
}

export function makeDate(year: number, month: number, day: number): string {
  const [y, m, d] = [year, month, day].map((part) => String(Math.trunc(part)).padStart(2, '0'));
  const date = parseDate(`${y!.padStart(4, '0')}-${m}-${d}`);
  if (date === undefined) throw new FormulaFailure('no such date');
  return date;
}

/** From the last day of a month to the last day of a month; else the same day, if the month has it. */
export function addMonths(text: string, months: number): string {
  const from = new Date(msOf(text));
  const daysIn = (year: number, month: number) => new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const [year, month] = [from.getUTCFullYear(), from.getUTCMonth() + Math.trunc(months)];
  const isLast = from.getUTCDate() === daysIn(from.getUTCFullYear(), from.getUTCMonth());
  const day = isLast ? daysIn(year, month) : Math.min(from.getUTCDate(), daysIn(year, month));
  const date = dateOf(Date.UTC(year, month, day));
  return text.length === 10 ? date : `${date}${text.slice(10)}`;
}

export const timeMs = (text: string): number => Date.parse(`1970-01-01T${text}`);

/** Times go round the clock. */
export function timeOf(ms: number): string {
  return new Date(((ms % dayMs) + dayMs) % dayMs).toISOString().slice(11);
}
