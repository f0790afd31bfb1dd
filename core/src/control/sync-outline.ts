import type { Config, FieldMapping, ScheduleConfig, StepConfig, SyncConfig, SyncSource } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { PairingConfig, PairingField, PairingSide } from '../config/pairing.ts';

/** A block of a sync's diagram. What the user noted at it comes along. */
export interface OutlineBlock {
  readonly kind: 'source' | 'filter' | 'map' | 'lookup' | 'run' | 'compare' | 'target' | 'side';
  /** `crm Contact`, `filter`. */
  readonly title: string;
  /** Its connection's name and type, where it has one. */
  readonly connection: { readonly name: string; readonly type: string } | null;
  /** What it does, a line each, as the configuration says it. Never a secret: credentials belong to connections. */
  readonly lines: readonly string[];
  readonly notes: string | null;
}

export interface OutlineField {
  readonly target: string;
  /** A field, an expression after `=`, or both names of a two-way sync. */
  readonly source: string;
  /** How it flows in a two-way sync, and whose value wins; empty in a one-way sync. */
  readonly rule: string;
}

/** A sync as people draw it: for its page, and for the documents that are printed. */
export interface SyncOutline {
  readonly sync: string;
  readonly direction: 'one-way' | 'two-way';
  /** In the order in which records pass. */
  readonly blocks: readonly OutlineBlock[];
  /** Null: all fields, under their own names. */
  readonly fields: readonly OutlineField[] | null;
  /** When it runs, and its rules, by name. */
  readonly settings: { readonly [name: string]: string };
  readonly notes: string | null;
}

export function outlineOf(config: Config, name: string): SyncOutline | null {
  const sync = config.syncs.get(name);
  if (sync !== undefined) return oneWay(sync, config);
  const pairing = config.pairings.get(name);
  return pairing === undefined ? null : twoWay(pairing, config);
}

/** Where a sync's records come from and go to, as the blocks of its outline are titled: for lists of a thousand syncs. */
export function endsOf(config: Config, name: string): { readonly from: string; readonly to: string } {
  const sync = config.syncs.get(name);
  if (sync === undefined) {
    const { left, right } = config.pairings.get(name)!;
    return { from: placeTitle(left), to: placeTitle(right) };
  }
  return { from: sourceTitle(sync.from, config), to: placeTitle(sync.to) };
}

function oneWay(sync: SyncConfig, config: Config): SyncOutline {
  const { name, from, to, where, steps, fields, exclude, compare } = sync;
  const filtered = where === null ? [] : [`where ${where}`];
  const source: OutlineBlock =
    from.kind === 'run'
      ? { kind: 'source', title: sourceTitle(from, config), connection: null, lines: filtered, notes: from.notes }
      : place('source', from, config, filtered);
  const compared: OutlineBlock = {
    kind: 'compare',
    title: 'compare',
    connection: null,
    lines: ['only what differs goes on'],
    notes: null,
  };
  return {
    ...{ sync: name, direction: 'one-way', notes: sync.notes },
    blocks: [
      source,
      ...steps.map((step) => stepBlock(step, config)),
      ...(compare ? [compared] : []),
      place('target', to, config, to.key === null ? [] : [`key ${to.key.join(', ')}`]),
    ],
    fields: fields === null ? null : [...fields].map(([target, mapping]) => ({ target, source: mappingText(mapping), rule: '' })),
    settings: {
      ...timing(sync),
      ...(exclude.length > 0 ? { exclude: exclude.join(', ') } : {}),
      deletes: sync.deletes,
      onFailure: sync.onFailure,
      ...(sync.journalMs === null ? {} : { journal: formatDuration(sync.journalMs) }),
    },
  };
}

function twoWay(pairing: PairingConfig, config: Config): SyncOutline {
  const { name, left, right, fields, match, deletes, notes } = pairing;
  const side = (each: PairingSide) => place('side', each, config, each.link === null ? [] : [`link ${each.link}`]);
  return {
    ...{ sync: name, direction: 'two-way', notes },
    blocks: [side(left), side(right)],
    fields: fields.map((field) => ({ target: field.right, source: field.left, rule: ruleText(field, pairing) })),
    settings: { ...timing(pairing), ...(match.length > 0 ? { match: match.join(', ') } : {}), deletes },
  };
}

function ruleText({ flows, policy }: PairingField, { left, right }: PairingConfig): string {
  if (flows === 'to-left') return `only to ${left.connection}`;
  if (flows === 'to-right') return `only to ${right.connection}`;
  if (policy.kind === 'wins') return `both ways, ${(policy.side === 'left' ? left : right).connection} wins`;
  return `both ways, ${policy.kind === 'module' ? 'your function decides' : policy.kind}`;
}

function stepBlock(step: StepConfig, config: Config): OutlineBlock {
  // A step that the user gave no name is called by its place in the file.
  const title = step.name.replace(/^steps\[\d+\] /, '');
  const block = { kind: step.kind, title, connection: null, notes: step.notes };
  if (step.kind === 'filter') return { ...block, lines: [step.expression] };
  if (step.kind === 'run') return { ...block, lines: [shortPath(step.file, config)] };
  if (step.kind === 'map') return { ...block, lines: [...step.fields].map(([field, by]) => `${field}: ${mappingText(by)}`) };
  const brought = [...step.fields].map(([here, there]) => (here === there ? here : `${here}: ${there}`));
  const lines = [`by ${step.key} = ${mappingText(step.by)}`, `brings ${brought.join(', ')}`, `missing: ${step.missing}`];
  return { ...block, connection: typed(step.connection, config), lines: [...specLines(step.spec), ...lines] };
}

function place(
  kind: OutlineBlock['kind'],
  { connection, spec, notes }: { connection: string; spec: unknown; notes: string | null } & Partial<SyncSource>,
  config: Config,
  lines: readonly string[],
): OutlineBlock {
  const rest = specLines(spec).slice(1);
  return {
    kind,
    title: placeTitle({ connection, spec }),
    connection: typed(connection, config),
    lines: [...rest, ...lines],
    notes,
  };
}

function sourceTitle(from: SyncConfig['from'], config: Config): string {
  return from.kind === 'run' ? shortPath(from.file, config) : placeTitle(from);
}

function placeTitle({ connection, spec }: { connection: string; spec: unknown }): string {
  const [first] = specLines(spec);
  return first === undefined ? connection : `${connection} ${first.replace(/^\w+ /, '')}`;
}

/** What names a dataset comes first: `object Contact`, `table contacts`. Only words and numbers are told. */
function specLines(spec: unknown): string[] {
  if (typeof spec !== 'object' || spec === null) return [];
  return Object.entries(spec).flatMap(([name, value]) => {
    const isPlain = typeof value === 'string' || typeof value === 'number' || value === true;
    return isPlain && name !== 'notes' ? [`${name} ${String(value)}`] : [];
  });
}

function typed(name: string, { connections }: Config): OutlineBlock['connection'] {
  const type = connections.get(name)?.connector.name;
  return type === undefined ? null : { name, type };
}

function mappingText(mapping: FieldMapping): string {
  return mapping.kind === 'field' ? mapping.field : `= ${mapping.expression}`;
}

function timing({ schedule, full, live }: Pick<SyncConfig, 'schedule' | 'full' | 'live'>): { [name: string]: string } {
  return {
    ...(live ? { live: 'follows changes as they are made' } : {}),
    delta: schedule === null ? 'on request' : scheduleText(schedule),
    ...(full === null ? {} : { full: scheduleText(full) }),
  };
}

export function scheduleText(schedule: ScheduleConfig): string {
  return schedule.kind === 'every' ? `every ${formatDuration(schedule.everyMs)}` : `${schedule.cron} (${schedule.timezone})`;
}

function shortPath(file: string, { baseDir }: Config): string {
  return file.startsWith(`${baseDir}/`) ? `./${file.slice(baseDir.length + 1)}` : file;
}
