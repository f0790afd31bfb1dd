import { InvalidArgumentError } from 'commander';
import type { Paint } from './terminal.ts';

/** A part of a list; `next` is where the following one begins, null when this was all. */
export interface Page<Each> {
  readonly shown: readonly Each[];
  readonly next: string | null;
}

/** @param found  one more than are shown, where there are more */
export function pageOf<Each extends { readonly id: string }>(found: readonly Each[], limit: number): Page<Each> {
  const shown = found.slice(0, limit);
  return { shown, next: found.length > limit ? shown.at(-1)!.id : null };
}

/** For people: that there are more, and how to see them. */
export function moreOf({ shown, next }: Page<unknown>, option: string, paint: Paint): string {
  if (next === null) return '';
  return `${paint('dim', `the first ${shown.length.toLocaleString('en-US')}; go on with ${option} ${next}, or show more with --limit`)}\n`;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Write a whole number above 0.');
}

export function parseId(text: string): string {
  if (/^\d{1,15}$/.test(text)) return text;
  throw new InvalidArgumentError('Write an id as the list shows it.');
}
