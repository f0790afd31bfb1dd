import {
  type AllowanceStatus,
  type BudgetStatus,
  describeAllowance,
  describeBudget,
  type KeptStatus,
  type SyncStatus,
} from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { connectionsOf, renderOrgs, selectSyncs } from '../select-syncs.ts';
import { renderStream } from '../stream-text.ts';
import { formatTime, renderTable, roughly } from '../table.ts';
import { renderWorkers } from '../worker-text.ts';

export function statusCommand(cli: Cli): Command {
  return command(cli, 'status', 'how every sync stands; exit code 1 while one fails or has open failures', [
    'tidemark status',
    'tidemark status contacts --json',
    'tidemark status --org acme',
  ])
    .argument('[sync]', 'only this one')
    .option('--org <name>', 'only the syncs of this org; without it, of many orgs those that are well are counted and not shown')
    .action(async (sync: string | undefined, options: CommonOptions & { readonly org?: string }) => {
      const { syncs, orgs, allowances, budgets, workers } = await withSession(cli, options, async ({ engine, config }) => {
        if (sync !== undefined) knownSync(config, sync);
        const { shown, orgs } = await selectSyncs(engine, { sync, org: options.org });
        const own = connectionsOf(config, shown);
        return {
          syncs: (await Promise.all(shown.map((name) => engine.status(name)))).flat(),
          orgs,
          allowances: (await engine.allowances()).filter(({ connection }) => own.has(connection)),
          budgets: (await engine.budgets()).filter(({ connection }) => own.has(connection)),
          workers: await engine.workers(),
        };
      });
      const streams = streamsOf(syncs);
      if (syncs.some((each) => each.openFailures > 0 || each.lastRun?.state === 'failed')) cli.exitCode = 1;
      // A budget tells of the requests as of now, an allowance as of when the org was last asked.
      const budgeted = new Set(budgets.map(({ connection }) => connection));
      const document = { syncs, streams, budgets, allowances, workers, ...(orgs !== null && { orgs }) };
      answer(cli, options, document, () => {
        const sections = [...(orgs === null ? [] : [renderOrgs(orgs)]), render(syncs, cli.clock.now())];
        for (const stream of streams) sections.push(`${renderStream(stream, cli.clock.now()).join('\n')}\n`);
        if (workers.length > 0) sections.push(renderWorkers(workers, cli.clock.now()));
        if (budgets.length > 0) sections.push(budgets.map(budgetLine).join(''));
        const untold = allowances.filter(({ connection, name }) => name !== 'requests' || !budgeted.has(connection));
        if (untold.length > 0) sections.push(untold.map(allowanceLine).join(''));
        return sections.join('\n');
      });
    });
}

/** Each once, whoever it feeds. */
function streamsOf(syncs: readonly SyncStatus[]): readonly KeptStatus[] {
  const byName = new Map(syncs.flatMap(({ stream }) => (stream === null ? [] : [[stream.stream, stream] as const])));
  return [...byName.values()];
}

function budgetLine(status: BudgetStatus): string {
  return `${status.connection}: ${describeBudget(status)}\n`;
}

function allowanceLine(status: AllowanceStatus): string {
  return `${status.connection}: ${describeAllowance(status)}\n`;
}

function render(syncs: readonly SyncStatus[], nowMs: number): string {
  const ago = (ms: number | null | undefined) => (ms == null ? null : `${roughly(nowMs - ms)} ago`);
  const table = renderTable(
    ['sync', 'state', 'last run', 'last success', 'failures'],
    syncs.map(({ sync, paused, waiting, lastRun, lastSuccess, openFailures, stream }) => [
      sync,
      // A topic is never run.
      paused ? 'paused' : waiting !== null ? 'waits for calls' : (lastRun?.state ?? stream?.state ?? 'never run'),
      lastRun === null ? null : `${lastRun.kind}, ${ago(lastRun.startedAtMs)}`,
      ago(lastSuccess?.startedAtMs),
      openFailures,
    ]),
  );
  const details = syncs.flatMap((each) => {
    const lines = detailsOf(each, ago);
    return lines.length === 0 ? [] : ['', each.sync, ...lines.map((line) => `  ${line}`)];
  });
  return details.length === 0 ? table : `${table}${details.join('\n')}\n`;
}

function detailsOf({ sync, waiting, lastRun, lastSuccess, held, openFailures, checkpoint }: SyncStatus, ago: Ago): string[] {
  const lines: string[] = [];
  // An idle poll moves no checkpoint, and has read up to now all the same.
  if (lastSuccess?.windowToMs != null) {
    lines.push(`complete up to ${formatTime(lastSuccess.windowToMs)} (${ago(lastSuccess.windowToMs)})`);
  }
  const facts = Object.entries(checkpoint).map(([fact, value]) => `${fact} ${value}`);
  if (facts.length > 0) lines.push(`checkpoint: ${facts.join(', ')}`);
  if (waiting !== null) lines.push(`waits until ${formatTime(waiting.untilMs)} with ${waiting.priority} work: ${waiting.reason}`);
  if (lastRun?.error && (waiting === null || lastRun.error.code !== 'over_budget')) {
    lines.push(`error: ${lastRun.error.message}`);
    if (lastRun.error.hint !== undefined) lines.push(`to do: ${lastRun.error.hint}`);
  }
  if (held !== null) {
    lines.push(
      `${held.overdue ? 'overdue' : 'held'}: ${held.key} has kept the window open since ${formatTime(held.sinceMs)}: ${held.message}`,
    );
  }
  if (openFailures > 0) lines.push(`to do: tidemark failures list ${sync}`);
  return lines;
}

type Ago = (ms: number | null) => string | null;
