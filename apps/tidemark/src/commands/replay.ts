import {
  type LeftReason,
  parseDuration,
  type ReplayBound,
  type Replayed,
  type ReplayReport,
  type RunReport,
} from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, type Session, withSession } from '../cli.ts';
import { showProgress } from '../progress.ts';
import { countWords, renderReport, succeeded } from '../run-text.ts';
import { formatTime } from '../table.ts';
import { UsageError } from '../usage-error.ts';

interface Options extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly refetch?: boolean;
}

export function replayCommand(cli: Cli): Command {
  return command(cli, 'replay', 'apply kept events of a live sync again, without asking the org: after a mapping was mended', [
    'tidemark replay contacts',
    'tidemark replay contacts --from P2D --dry-run',
    'tidemark replay contacts --from 2026-03-04T05:00Z --to 2026-03-04T09:00Z --refetch',
  ])
    .argument('<sync>')
    .option('--from <time|replay-id>', 'records with an event since: an instant, how long ago (P1D, 2h), or a replay id')
    .option('--to <time|replay-id>', 'and up to then')
    .option('--dry-run', 'read and count, write nothing')
    .option('--refetch', 'read from the org what the journal alone cannot make whole')
    .action(async (sync: string, options: Options) => {
      const range = { from: bound(options.from, cli), to: bound(options.to, cli) };
      await withSession(cli, options, async (session) => {
        const name = knownSync(session.config, sync);
        const replayed = await withProgress<ReplayReport | DryReplay>(cli, name, options, (onProgress) =>
          options.dryRun ? dryRun(session, name, range, onProgress) : replay(session, name, range, onProgress),
        );
        const left = replayed.replayed.left.map(({ key }) => key);
        const refetched = options.refetch && !options.dryRun && left.length > 0 ? await refetch(session, name, left) : null;
        const report = 'state' in replayed ? replayed : null;
        const isDone =
          (report === null || succeeded(report)) && (left.length === 0 || (refetched !== null && succeeded(refetched)));
        if (!isDone) cli.exitCode = 1;
        answer(cli, options, { ...replayed, ...(refetched === null ? {} : { refetched }) }, (paint) =>
          [
            report === null
              ? `${name}: a replay would come to this; nothing was written\n  ${countWords(replayed.counts)}\n`
              : renderReport(report, paint),
            renderReplayed(name, replayed.replayed, refetched !== null || left.length === 0),
            refetched === null ? '' : renderReport(refetched, paint),
          ].join(''),
        );
      });
    });
}

type DryReplay = Awaited<ReturnType<typeof dryRun>>;
type Range = { readonly from: ReplayBound | null; readonly to: ReplayBound | null };
type OnProgress = NonNullable<Parameters<Session['engine']['run']>[1]['onProgress']>;

/** A first signal ends it after the records under way. */
const replay = ({ engine, signals }: Session, sync: string, range: Range, onProgress: OnProgress) =>
  engine.replay(sync, { range, signal: new AbortController().signal, stop: signals.stop, onProgress });

const dryRun = async ({ engine, signals }: Session, sync: string, range: Range, onProgress: OnProgress) => ({
  sync,
  dryRun: true,
  ...(await engine.dryReplay(sync, { range, signal: signals.stop, onProgress })),
});

const refetch = ({ engine, signals }: Session, sync: string, keys: readonly string[]): Promise<RunReport> =>
  engine.refetch(sync, keys, { signal: signals.stop });

async function withProgress<T>(cli: Cli, sync: string, options: Options, work: (on: OnProgress) => Promise<T>): Promise<T> {
  const display = showProgress(sync, cli.terminal, cli.clock, options.json && !cli.terminal.live);
  cli.logLine = display.print;
  try {
    return await work((progress) => display.update(progress));
  } finally {
    display.end();
    cli.logLine = cli.terminal.err;
  }
}

const reasons: Readonly<Record<LeftReason, string>> = {
  untold: 'changed in a way that no event tells',
  partial: 'began before the journal: what their events do not carry is as it was',
  absent: 'are not in the target, and began before the journal',
  newer: 'are newer in the target than in the journal',
  failing: 'have an open failure',
  busy: 'change faster than they could be replayed: the stream brings them',
};

const NAMED_MAX = 10;

function renderReplayed(sync: string, { events, unreadable, untouched, holeBeforeMs, left }: Replayed, isDone: boolean): string {
  const number = (count: number) => count.toLocaleString('en-US');
  const lines = [`  ${number(events)} events replayed`];
  if (unreadable > 0) lines.push(`  ${number(unreadable)} of them cannot be read: what came before one may have changed with it`);
  if (holeBeforeMs !== null) {
    lines.push(`  the journal has a hole: what was committed up to ${formatTime(holeBeforeMs)} is not applied`);
  }
  if (untouched.length > 0) lines.push(`  no event tells ${untouched.join(', ')}: left as they are`);
  for (const [reason, keys] of Map.groupBy(left, (each) => each.reason)) {
    const names = keys.slice(0, NAMED_MAX).map(({ key }) => key);
    const more = keys.length > names.length ? ` and ${number(keys.length - names.length)} more (--json names all)` : '';
    lines.push(`  ${number(keys.length)} ${reasons[reason]}: ${names.join(' ')}${more}`);
  }
  if (!isDone)
    lines.push(`  to do: tidemark replay ${sync} --refetch, or tidemark refetch ${sync} <ids>, reads them from the org`);
  return `${lines.join('\n')}\n`;
}

const BOUND = 'write an instant (2026-03-04T05:00Z), how long ago (P1D, 2h), or a replay id';

/** An instant, a stretch of time ago, or else a replay id. */
function bound(text: string | undefined, cli: Cli): ReplayBound | null {
  if (text === undefined) return null;
  const agoMs = parseDuration(text);
  if (agoMs !== null) return { kind: 'time', ms: cli.clock.now() - Math.abs(agoMs) };
  if (/^\d{4}-\d/.test(text)) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return { kind: 'time', ms };
    throw new UsageError(`${text} is no instant`, { hint: BOUND });
  }
  if (/^[\w+/=:-]{1,200}$/.test(text)) return { kind: 'event', replayId: text };
  throw new UsageError(`${text} is neither an instant nor a replay id`, { hint: BOUND });
}
