import type { LiveWorker } from '@tidemark/core';
import { renderTable, roughly } from './table.ts';

/** So many are named; of more only how many. */
const NAMED_MAX = 6;

/** Who is there, and who runs what. */
export function renderWorkers(workers: readonly LiveWorker[], nowMs: number): string {
  return renderTable(
    ['worker', 'version', 'for', 'runs'],
    workers.map(({ name, version, startedAtMs, owns }) => [name, version, roughly(nowMs - startedAtMs), runsOf(owns)]),
  );
}

function runsOf(units: readonly string[]): string {
  const named = units.slice(0, NAMED_MAX).map((unit) => unit.replace(/^live:/, 'stream '));
  const more = units.length - named.length;
  if (named.length === 0) return 'nothing';
  return more === 0 ? named.join(', ') : `${named.join(', ')} and ${more} more`;
}
