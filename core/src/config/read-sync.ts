import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ZodType } from 'zod';
import { z } from 'zod';
import { seededRandom } from '../base/random.ts';
import { defaultRetry } from '../base/retry.ts';
import { compileExpression, ExpressionSyntaxError } from '../expression/expression.ts';
import type { TargetScope } from '../model/connector.ts';
import type { ConnectionConfig, FieldMapping, ScheduleConfig, StepConfig, SyncConfig, SyncSource, SyncTarget } from './config.ts';
import { inputSchema } from './connector-schema.ts';
import { checkEventsOnly } from './events-only.ts';
import { fingerprint } from './fingerprint.ts';
import type { Path } from './located-yaml.ts';
import { checkParts } from './parts.ts';
import { comparesTarget, isComparison, readCompare } from './read-compare.ts';
import { checkName, isBlock } from './read-connections.ts';
import { HOOK_MS, readHook } from './read-hook.ts';
import { readLookup } from './read-lookup.ts';
import type { Report } from './report.ts';
import {
  customSourceSchema,
  laterKeys,
  type SyncInput,
  sourceExtras,
  stepKinds,
  stepSchemas,
  syncSchema,
  targetExtras,
} from './schema.ts';

export interface SyncContext {
  readonly report: Report;
  /** Those that are right. */
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  /** All that the file names, so that a wrong one is not reported as lacking. */
  readonly declared: readonly string[];
  /** The org for which it is read, of a sync `forEach: org`. */
  readonly org?: string;
  /** Connections that stand for many orgs: only a sync for each of them can use them. */
  readonly many: ReadonlySet<string>;
  readonly baseDir: string;
  /** The file that is read, for what is said of its rights. */
  readonly file: string;
}

/** How often a live sync reads what changed, in case a change was not told. */
export const SAFETY_NET_MS = 600_000;

/** One sync, checked; null when something about it is wrong, and then it is in the report. */
export function readSync(name: string, block: unknown, context: SyncContext): SyncConfig | null {
  const { report } = context;
  const path: Path = ['syncs', name];
  const before = report.problems.length;
  checkName(name, path, report);
  if (!isBlock(block)) {
    report.error(path, 'takes a block of keys', 'at least from: and to:');
    return null;
  }
  const parsed = report.parse(syncSchema, block, path, { later: laterKeys.sync });
  const input = parsed?.data;

  const from = isBlock(block.from) ? readSource(name, block.from, [...path, 'from'], context) : null;
  const to = isBlock(block.to) ? readTarget(block.to, [...path, 'to'], context, comparesTarget(block.steps)) : null;
  const fields = readMappings(block.fields, [...path, 'fields'], report);
  const written = Array.isArray(block.steps) ? block.steps : [];
  const compare = readCompare(written, [...path, 'steps'], report);
  const steps = written.flatMap((step, i) => (isComparison(step) ? [] : [readStep(step, i, [...path, 'steps', i], context)]));
  const channel = from === null ? null : channelOf(from, context);
  if (input !== undefined) checkTogether(input, path, report, channel);
  if (input !== undefined && channel !== null) checkEventsOnly(block, input, path, report);
  if (input?.history === true && to !== null) checkHistory(to, path, context);
  if (input?.parts !== undefined && from !== null && to !== null) checkParts({ from, to, org: context.org }, path, context);
  const isTold = input?.live === true && from !== null && tellsChanges(from, context);
  if (input?.journal !== undefined && (input.live !== true || isTold) && from !== null && channel === null) {
    const hint = isTold ? 'what it reads is kept where it lies' : 'events are kept as the stream brings them';
    report.error([...path, 'journal'], isTold ? 'has no meaning here' : 'has no effect without live: true', hint, 'key');
  }
  if (input === undefined || from === null || to === null || report.problems.slice(before).some((p) => p.severity === 'error')) {
    return null;
  }

  const timezone = input.timezone ?? 'UTC';
  const sync: Omit<SyncConfig, 'fingerprint'> = {
    name,
    from,
    to,
    where: input.where ?? null,
    fields,
    exclude: input.exclude ?? [],
    steps: steps.filter((step) => step !== null),
    compare,
    schedule: isTold
      ? { kind: 'every', everyMs: HOOK_MS }
      : (scheduleOf(input, timezone) ?? scheduleUnlessTold(input, from, channel)),
    live: channel !== null || (input.live === true && !isTold),
    channel,
    journalMs: input.journal ?? null,
    startDelayMs: input.startDelay ?? 0,
    priority: input.priority ?? null,
    startAt: input.startAt ?? null,
    full: input.full === undefined ? null : scheduleOf(input.full, timezone),
    deletes: channel === null ? input.deletes : 'ignore',
    history: input.history ?? null,
    onFailure: input.onFailure,
    sweepMax: input.sweepMax ?? 0.1,
    overlapMs: input.overlap ?? null,
    batchSize: input.batchSize ?? null,
    retry: {
      attemptsMax: input.retry?.attempts ?? defaultRetry.attemptsMax,
      delayMs: input.retry?.delay ?? defaultRetry.delayMs,
      delayMsMax: input.retry?.delayMax ?? defaultRetry.delayMsMax,
    },
    warnAfterMs: input.warnAfter ?? 3_600_000,
    watermarkKey: input.watermarkKey ?? name,
    notes: input.notes ?? null,
    ...(input.parts !== undefined && { parts: input.parts }),
  };
  return { ...sync, fingerprint: fingerprint(sync, context.connections) };
}

/** Whether the source itself says when to read it, so that following it is running it whenever it does. */
function tellsChanges(from: SyncSource, { connections }: SyncContext): boolean {
  return from.kind === 'connection' && connections.get(from.connection)?.connector.tellsChanges === true;
}

/** A sync that is told of changes runs by itself. */
function scheduleUnlessTold({ live }: SyncInput, from: SyncSource, channel: string | null): ScheduleConfig | null {
  if (from.kind === 'connection' && from.hook !== undefined) return { kind: 'every', everyMs: HOOK_MS };
  return live === true && channel === null ? { kind: 'every', everyMs: SAFETY_NET_MS } : null;
}

function readSource(sync: string, block: Record<string, unknown>, path: Path, context: SyncContext): SyncSource | null {
  const { report } = context;
  if ('run' in block && !('connection' in block)) {
    const custom = report.parse(customSourceSchema, block, path)?.data;
    const file = moduleFile(block.run, [...path, 'run'], context);
    if (custom === undefined || file === null) return null;
    return {
      kind: 'run',
      file,
      key: custom.key,
      fields: custom.fields === undefined ? null : new Map(Object.entries(custom.fields)),
      options: custom.options ?? null,
      notes: custom.notes ?? null,
    };
  }
  if ('hook' in block) return readHook(sync, block, path, context);
  if (!('connection' in block)) {
    const hint = 'name a connection, or write run: with a module of your own, or hook: for what others send';
    report.error([...path, 'connection'], 'is missing', hint);
    return null;
  }
  const connection = findConnection(block.connection, [...path, 'connection'], context);
  if (connection === null) return null;
  const { from } = connection.connector;
  if (from === undefined) {
    report.error([...path, 'connection'], `is of type ${connection.connector.name}, which is no source`, 'use it in to:');
    return null;
  }
  const parsed = parseWithExtras(block, from, sourceExtras, path, report, laterKeys.from);
  return parsed && { kind: 'connection', connection: connection.name, spec: parsed.spec, notes: parsed.extras.notes ?? null };
}

function channelOf(from: SyncSource, { connections }: SyncContext): string | null {
  if (from.kind !== 'connection') return null;
  return connections.get(from.connection)?.connector.eventChannel?.(from.spec) ?? null;
}

function readTarget(written: Record<string, unknown>, path: Path, context: SyncContext, compare: boolean): SyncTarget | null {
  let block = written;
  const { report } = context;
  if (!('connection' in block)) {
    report.error([...path, 'connection'], 'is missing', 'name a connection');
    return null;
  }
  const connection = findConnection(block.connection, [...path, 'connection'], context);
  if (connection === null) return null;
  const { to } = connection.connector;
  if (to === undefined) {
    report.error([...path, 'connection'], `is of type ${connection.connector.name}, which is no target`, 'use it in from:');
    return null;
  }
  // A target that can compare by itself does it better: it knows how its system spells values.
  if (compare && !('compare' in block) && canCompare(to, block)) block = { ...block, compare: true };
  const parsed = parseWithExtras(block, to, targetExtras, path, report, laterKeys.to);
  if (parsed === null) return null;
  const { key, orgColumn, notes } = parsed.extras;
  const scope = orgColumn === undefined ? undefined : readScope(orgColumn, connection, path, context);
  return { connection: connection.name, spec: parsed.spec, key: key ?? null, scope, notes: notes ?? null };
}

function checkHistory({ connection }: SyncTarget, path: Path, { report, connections }: SyncContext): void {
  const { connector } = connections.get(connection)!;
  if (connector.keepsHistory === true) return;
  const hint = 'leave it out, or write to a SQL database as well and keep the versions there';
  report.error([...path, 'history'], `is not something that ${connector.name} keeps`, hint, 'key');
}

/** The rows of one org among those of all. */
function readScope(
  column: string,
  { connector }: ConnectionConfig,
  path: Path,
  { report, org }: SyncContext,
): TargetScope | undefined {
  const at = [...path, 'orgColumn'];
  if (org === undefined) report.error(at, 'has no meaning without forEach: org', 'leave it out', 'key');
  else if (connector.sharesDatasets === undefined) {
    const hint = 'let each org have a dataset of its own, e.g. table: "contacts_{org}"';
    report.error(at, `is not something that ${connector.name} can keep apart`, hint, 'key');
  } else return { column, value: org };
  return undefined;
}

/** Our own keys and the connector's stand side by side in one block. */
export function parseWithExtras<Extras extends z.ZodRawShape>(
  block: Record<string, unknown>,
  spec: ZodType,
  extras: Extras,
  path: Path,
  report: Report,
  later: Readonly<Record<string, string>>,
): { spec: unknown; extras: z.output<z.ZodObject<Extras>> } | null {
  const theirs = new Set(branchesOf(spec).flatMap((keys) => [...keys]));
  const own = Object.keys(extras);
  const pick = (keep: (key: string) => boolean) => Object.fromEntries(Object.entries(block).filter(([key]) => keep(key)));
  const checkedExtras = report.parse(
    z.strictObject(extras),
    pick((key) => own.includes(key)),
    path,
  );
  const checkedSpec = report.parse(
    spec,
    pick((key) => !own.includes(key) || theirs.has(key)),
    path,
    { later },
  );
  if (checkedExtras === null || checkedSpec === null) return null;
  return { spec: checkedSpec.data, extras: checkedExtras.data as z.output<z.ZodObject<Extras>> };
}

function branchesOf(spec: ZodType): ReadonlySet<string>[] {
  const schema = inputSchema(spec);
  return (schema.anyOf ?? [schema]).map(({ properties }) => new Set(Object.keys(properties ?? {})));
}

/** Whether the kind of target that the block describes has a comparison of its own. */
function canCompare(to: ZodType, block: Readonly<Record<string, unknown>>): boolean {
  const theirs = Object.keys(block).filter((key) => !(key in targetExtras));
  return branchesOf(to).some((keys) => keys.has('compare') && theirs.every((key) => keys.has(key)));
}

export function findConnection(name: unknown, path: Path, context: SyncContext): ConnectionConfig | null {
  if (typeof name !== 'string') {
    context.report.error(path, 'takes the name of a connection');
    return null;
  }
  const connection = context.connections.get(name);
  if (connection === undefined && context.many.has(name)) {
    context.report.error(path, 'stands for many orgs', 'write forEach: org in the sync, which makes it one for each of them');
  } else if (connection === undefined && !context.declared.includes(name)) {
    context.report.unknown(path, 'there is no connection of this name', name, context.declared);
  }
  return connection ?? null;
}

function readStep(step: unknown, index: number, path: Path, context: SyncContext): StepConfig | null {
  const { report } = context;
  if (!isBlock(step)) return null;
  const kinds = stepKinds.filter((kind) => kind in step);
  const kind = kinds[0];
  // A comparison is read with the sync (`readCompare`), unless it is mixed with something else.
  if (kind === undefined || kind === 'compare' || kinds.length > 1) {
    const others = Object.keys(step).filter((key) => key !== 'name' && key !== 'notes');
    if (kind === undefined && others.length === 1)
      report.unknown([...path, others[0]!], 'there is no such step', others[0]!, stepKinds, 'key');
    else report.error(path, `needs exactly one of: ${stepKinds.join(', ')}`, 'make it two steps');
    return null;
  }
  const name = typeof step.name === 'string' ? step.name : `steps[${index}] ${kind}`;
  if (kind === 'filter') {
    const parsed = report.parse(stepSchemas.filter, step, path)?.data;
    const checked = typeof step.filter === 'string' ? checkedExpression(step.filter, [...path, 'filter'], report) : null;
    if (parsed === undefined || checked === null) return null;
    return { kind, name, expression: parsed.filter, reads: checked.reads, notes: parsed.notes ?? null };
  }
  if (kind === 'map') {
    const parsed = report.parse(stepSchemas.map, step, path)?.data;
    const fields = readMappings(step.map, [...path, 'map'], report);
    return parsed === undefined || fields === null ? null : { kind, name, fields, notes: parsed.notes ?? null };
  }
  if (kind === 'lookup') return readLookup(step, name, path, context);
  const parsed = report.parse(stepSchemas.run, step, path)?.data;
  const file = moduleFile(step.run, [...path, 'run'], context);
  return parsed === undefined || file === null
    ? null
    : { kind, name, file, reads: parsed.reads ?? null, options: parsed.options ?? null, notes: parsed.notes ?? null };
}

export function readMappings(block: unknown, path: Path, report: Report): Map<string, FieldMapping> | null {
  if (!isBlock(block)) return null;
  const mappings = new Map<string, FieldMapping>();
  const byFolded = new Map<string, string>();
  if (Object.keys(block).length === 0) report.error(path, 'names no field', 'leave it out for all fields');
  for (const [target, value] of Object.entries(block)) {
    if (typeof value !== 'string') continue;
    const folded = target.toLowerCase();
    const twin = byFolded.get(folded);
    if (twin !== undefined)
      report.error([...path, target], `differs from ${twin} only in case`, 'many databases take them for one', 'key');
    byFolded.set(folded, target);
    const text = value.trimStart();
    if (!text.startsWith('=')) {
      mappings.set(target, { kind: 'field', field: value.trim() });
      continue;
    }
    const expression = text.slice(1).trim();
    if (expression === '') {
      report.error([...path, target], 'has no expression after the =');
      continue;
    }
    const checked = checkedExpression(expression, [...path, target], report);
    if (checked !== null) mappings.set(target, { kind: 'expression', expression, reads: checked.reads });
  }
  return mappings;
}

export function checkedExpression(text: string, path: Path, report: Report): { readonly reads: readonly string[] | null } | null {
  try {
    // Only parsed here: nothing is evaluated, so the clock and the seed do not matter.
    return compileExpression(text, { clock: { now: () => 0, sleep: async () => {} }, random: seededRandom(0) });
  } catch (error) {
    if (!(error instanceof ExpressionSyntaxError)) throw error;
    const where = `at character ${error.position} of the expression`;
    report.error(
      path,
      `is not valid JSONata: ${error.message}, ${where}`,
      'try it at try.jsonata.org; text goes in quotes, fields do not',
    );
    return null;
  }
}

export function moduleFile(value: unknown, path: Path, context: SyncContext): string | null {
  if (typeof value !== 'string' || value === '') return null;
  const file = resolve(context.baseDir, value);
  if (!existsSync(file) || !statSync(file).isFile()) {
    context.report.error(path, 'there is no such file', 'the path starts at the folder of the configuration');
    return null;
  }
  if (!/\.[cm]?[jt]s$/.test(file)) {
    context.report.error(path, 'is not a module', 'use a .ts, .mts, .js or .mjs file');
    return null;
  }
  return file;
}

/** Rules over more than one key. */
function checkTogether(input: SyncInput, path: Path, report: Report, channel: string | null): void {
  checkSchedules(input, path, report);
  if (input.live === true && isBlock(input.from) && 'run' in input.from) {
    report.error([...path, 'live'], 'needs a connection that streams its changes', 'use every: with a source of your own');
  }
  if (isBlock(input.from) && 'hook' in input.from) {
    if (input.live === true)
      report.error([...path, 'live'], 'has no meaning for a hook', 'what comes in is brought on at once', 'key');
    if (input.where !== undefined)
      report.error([...path, 'where'], 'has no meaning for a hook', 'use steps: with a filter', 'key');
  }
  const scheduled = input.every !== undefined || input.cron !== undefined || input.live === true || channel !== null;
  if (input.startDelay !== undefined && !scheduled) {
    report.error([...path, 'startDelay'], 'has no effect without every: or cron:', 'add a schedule', 'key');
  }
  for (const [i, name] of (input.exclude ?? []).entries()) {
    if (input.fields !== undefined && Object.values(input.fields).includes(name)) {
      report.error([...path, 'exclude', i], `is excluded and mapped in fields: at once`, 'remove one of the two');
    }
  }
}

/** Rules over the keys that say when a sync runs and how often it tries. */
export function checkSchedules(
  input: Pick<SyncInput, 'every' | 'cron' | 'timezone' | 'full' | 'retry'>,
  path: Path,
  report: Report,
): void {
  checkSchedule(input, path, report, 'full: has a schedule of its own');
  if (input.full !== undefined) {
    checkSchedule(input.full, [...path, 'full'], report);
    if (input.full.every === undefined && input.full.cron === undefined) {
      report.error([...path, 'full'], 'has no schedule', 'write every: or cron:');
    }
  }
  if (input.timezone !== undefined && input.cron === undefined && input.full?.cron === undefined) {
    report.error([...path, 'timezone'], 'has no effect without cron:', 'remove it, or use cron: instead of every:', 'key');
  }
  const { delay, delayMax } = input.retry ?? {};
  if (delay !== undefined && delayMax !== undefined && delay > delayMax) {
    report.error([...path, 'retry', 'delay'], 'is longer than delayMax');
  }
}

function checkSchedule(schedule: { every?: unknown; cron?: unknown }, path: Path, report: Report, hint = 'keep one'): void {
  if (schedule.every !== undefined && schedule.cron !== undefined) {
    report.error([...path, 'cron'], 'and every: exclude each other', hint === 'keep one' ? hint : `keep one; ${hint}`, 'key');
  }
}

export function scheduleOf(
  input: { every?: number | undefined; cron?: string | undefined; timezone?: string | undefined },
  timezone: string,
): ScheduleConfig | null {
  if (input.cron !== undefined) return { kind: 'cron', cron: input.cron, timezone: input.timezone ?? timezone };
  return input.every === undefined ? null : { kind: 'every', everyMs: input.every };
}
