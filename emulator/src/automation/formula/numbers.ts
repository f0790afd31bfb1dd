import { FormulaFailure } from './types.ts';

/** Fifteen digits are right in a double: what lies beyond them is noise, which decimal arithmetic does not have. */
export function exact(value: number): number {
  if (!Number.isFinite(value)) throw new FormulaFailure('no such number');
  return Number.isInteger(value) ? value : Number(value.toPrecision(15));
}

/** Half goes away from zero; negative digits round before the point. */
export function roundTo(value: number, digits: number): number {
  const factor = 10 ** Math.abs(Math.trunc(digits));
  const scaled = exact(digits < 0 ? Math.abs(value) / factor : Math.abs(value) * factor);
  const rounded = Math.round(scaled);
  return exact(Math.sign(value) * (digits < 0 ? rounded * factor : rounded / factor)) + 0;
}

/** As `TEXT` writes it: never with an exponent, which a double's own text has. */
export function numberText(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toLocaleString('en-US', { useGrouping: false, maximumFractionDigits: 18 }) : text;
}
