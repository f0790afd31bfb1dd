import type { Random } from './random.ts';

const dayMs = 86_400_000;
const spanMs = 730 * dayMs;

export interface Period {
  startMs: number;
  endMs: number;
}

/** Two years up to the last midnight before `nowMs`: fillings of one day are alike, and nothing lies in the future. */
export function demoPeriod(nowMs: number): Period {
  const endMs = Math.floor((nowMs - 1) / dayMs) * dayMs;
  return { startMs: endMs - spanMs, endMs };
}

/** Days are few and rows are many: each day is formatted once. */
const days = new Map<number, string>();

export function toDate(ms: number): string {
  const day = Math.floor(ms / dayMs);
  let text = days.get(day);
  if (text === undefined) {
    text = new Date(day * dayMs).toISOString().slice(0, 10);
    days.set(day, text);
  }
  return text;
}

const twoDigits = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'));

export function toDatetime(ms: number): string {
  const second = Math.floor((ms - Math.floor(ms / dayMs) * dayMs) / 1000);
  const minute = Math.floor(second / 60);
  return `${toDate(ms)}T${twoDigits[Math.floor(minute / 60)]}:${twoDigits[minute % 60]}:${twoDigits[second % 60]}.000+0000`;
}

export interface AuditTimes {
  createdMs: number;
  CreatedDate: string;
  LastModifiedDate: string;
  SystemModstamp: string;
}

/** Made, then perhaps changed by a user, then perhaps touched by the system, in this order and inside the period. */
export function auditTimes(random: Random, { startMs, endMs }: Period): AuditTimes {
  const createdMs = wholeSecond(startMs + random.next() * (endMs - startMs));
  const created = toDatetime(createdMs);
  if (random.chance(0.25)) return { createdMs, CreatedDate: created, LastModifiedDate: created, SystemModstamp: created };
  const modifiedMs = wholeSecond(createdMs + random.next() ** 2 * (endMs - createdMs));
  const modified = toDatetime(modifiedMs);
  const touched = random.chance(0.1) ? toDatetime(wholeSecond(modifiedMs + random.next() * (endMs - modifiedMs))) : modified;
  return { createdMs, CreatedDate: created, LastModifiedDate: modified, SystemModstamp: touched };
}

const wholeSecond = (ms: number) => Math.floor(ms / 1000) * 1000;

/** A day from `from` to `to` years around `ms`. */
export const dayAround = (random: Random, ms: number, fromYears: number, toYears: number): string =>
  toDate(ms + (fromYears + random.next() * (toYears - fromYears)) * 365.25 * dayMs);
