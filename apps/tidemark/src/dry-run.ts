import type { FoundPair, PlannedPairWrite, PlannedWrite, RunOptions } from '@tidemark/core';
import { InvalidArgumentError } from 'commander';
import type { Cli, CommonOptions, Session } from './cli.ts';
import { FirstOf, renderDryRun } from './dry-run-text.ts';
import { renderPairingPlan } from './pairing-text.ts';
import { showProgress } from './progress.ts';
import type { Paint } from './terminal.ts';

/** What a run would write, as a document and for people. */
export interface ToldDryRun {
  readonly document: object;
  readonly text: (paint: Paint) => string;
}

interface Shown extends Pick<CommonOptions, 'json'> {
  /** Records that are listed; the others are counted. */
  readonly show: number;
}

/** Thinks a run through, record by record: what it would send, and in how many calls. Writes nothing. */
export async function tellDryRun(
  cli: Cli,
  { config, engine }: Session,
  sync: string,
  { json, show, ...options }: RunOptions & Shown,
): Promise<ToldDryRun> {
  const pairing = config.pairings.get(sync);
  if (pairing !== undefined) {
    const writes = new FirstOf<PlannedPairWrite>(show);
    const links = new FirstOf<FoundPair>(show);
    const plan = await engine.planPairing(sync, {
      ...options,
      onWrite: (write) => writes.add(write),
      onLink: (found) => links.add(found),
    });
    const document = { sync, dryRun: true, ...plan, links: links.first, writes: writes.first };
    return { document, text: (paint) => renderPairingPlan(pairing, plan, { links, writes }, paint) };
  }
  const writes = new FirstOf<PlannedWrite>(show);
  const display = showProgress(sync, cli.terminal, cli.clock, json === true && !cli.terminal.live);
  cli.logLine = display.print;
  try {
    const result = await engine.dryRun(sync, {
      ...options,
      onProgress: (progress) => display.update(progress),
      onWrite: (write) => writes.add(write),
    });
    const document = { sync, dryRun: true, ...result, writes: writes.first };
    return { document, text: (paint) => renderDryRun(sync, result, writes, paint) };
  } finally {
    display.end();
    cli.logLine = cli.terminal.err;
  }
}

/** Records of a dry run that are listed unless more are asked for; a document has all of them. */
export const SHOWN = 20;

export function shownOf({ json, show }: Pick<CommonOptions, 'json'> & { readonly show?: number }): Shown {
  return { json: json === true, show: show ?? (json === true ? Number.POSITIVE_INFINITY : SHOWN) };
}

export function parseShow(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  const count = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(count) && count >= 0) return count;
  throw new InvalidArgumentError('Write how many records to list, or all.');
}
