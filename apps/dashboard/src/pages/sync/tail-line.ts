import type { OperationShape, SyncOverviewShape } from '@tidemark/core/api';
import type { LiveEvent } from '../../api/live.ts';
import { counted, durationText, numberText } from '../../parts/texts.ts';

/** What an event tells of a sync, in words; null when it is about others. */
export function lineOf(event: LiveEvent, sync: string): string | null {
  if (event.event === 'operation') return event.data.sync === sync ? operationLine(event.data) : null;
  const line = event.data.find((each) => each.sync === sync);
  return line === undefined ? null : syncLine(line);
}

function operationLine({ kind, state, progress, error }: OperationShape): string {
  if (error !== null) return `${kind} failed: ${error.message}`;
  if (state !== 'running') return `${kind} ${state}`;
  if (progress === null) return `${kind} begins`;
  const of = progress.estimate === null ? '' : ` of about ${numberText(progress.estimate)}`;
  return `${kind}: ${progress.phase}, ${numberText(progress.rows)}${of}`;
}

function syncLine({ lastRun, stream, paused, openFailures, openConflicts }: SyncOverviewShape): string {
  const parts = [paused ? 'paused' : '', runText(lastRun), streamText(stream)];
  if (openFailures > 0) parts.push(counted(openFailures, 'failure'));
  if (openConflicts > 0) parts.push(counted(openConflicts, 'open conflict'));
  return parts.filter((part) => part !== '').join(', ');
}

function runText(run: SyncOverviewShape['lastRun']): string {
  if (run === null) return 'no run yet';
  const { kind, state, counts, error, id } = run;
  const did = (['created', 'updated', 'deleted', 'failed'] as const).flatMap((name) =>
    counts[name] === 0 ? [] : [`${numberText(counts[name])} ${name}`],
  );
  const why = error === null ? '' : `: ${error.message}`;
  return `${kind} run ${id} ${state}${why}${did.length === 0 ? '' : ` (${did.join(', ')})`}`;
}

function streamText(stream: SyncOverviewShape['stream']): string {
  if (stream === null) return '';
  return stream.lagMs === null ? `stream ${stream.state}` : `stream ${stream.state}, ${durationText(stream.lagMs)} behind`;
}
