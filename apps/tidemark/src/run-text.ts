import type { RunReport } from '@tidemark/core';
import { formatTime, roughly } from './table.ts';
import type { Paint } from './terminal.ts';

/** Open failures count: a record that is not where it belongs is not done. */
export function succeeded(report: RunReport): boolean {
  return report.state === 'succeeded' && report.openFailures === 0;
}

/** The end of a run for people: what it did, in totals. */
export function renderReport(report: RunReport, paint: Paint): string {
  const colour = report.state === 'failed' ? 'red' : succeeded(report) ? 'green' : 'yellow';
  const why = report.reason === null ? '' : ` (${report.reason})`;
  const took = roughly(report.durationMs);
  const lines = [`${paint('bold', report.sync)}: ${report.kind} run ${paint(colour, report.state)} in ${took}${why}`];
  lines.push(`  ${report.state === 'succeeded' && report.counts.read === 0 ? 'nothing has changed' : countWords(report.counts)}`);
  if (report.windowFromMs !== null || report.windowToMs !== null) {
    lines.push(`  window: ${formatTime(report.windowFromMs) ?? 'the beginning'} to ${formatTime(report.windowToMs) ?? 'now'}`);
  }
  if (report.error !== null) {
    lines.push(`  ${paint('red', 'error:')} ${report.error.message}`);
    if (report.error.hint !== undefined) lines.push(`  to do: ${report.error.hint}`);
    lines.push(paint('dim', `  code: ${report.error.code}`));
  }
  if (report.state === 'stopped') lines.push('  what was written is kept; the next run goes on from there');
  if (report.openFailures > 0) {
    const records = report.openFailures === 1 ? '1 record has' : `${report.openFailures.toLocaleString('en-US')} records have`;
    lines.push(`  ${records} an open failure: tidemark failures list ${report.sync}`);
  }
  return `${lines.join('\n')}\n`;
}

export function countWords(counts: RunReport['counts']): string {
  const order = ['read', 'created', 'updated', 'unchanged', 'deleted', 'dropped', 'failed'] as const;
  return order
    .filter((name) => name === 'read' || counts[name] > 0)
    .map((name) => `${counts[name].toLocaleString('en-US')} ${name}`)
    .join(', ');
}
