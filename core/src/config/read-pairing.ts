import { defaultRetry } from '../base/retry.ts';
import { hashFile, hashOf } from './fingerprint.ts';
import type { Path } from './located-yaml.ts';
import type { PairingConfig, PairingField, PairingSide, PolicyConfig } from './pairing.ts';
import { type PairingInput, pairingSchema, sideExtras } from './pairing-schema.ts';
import { checkName, isBlock } from './read-connections.ts';
import {
  checkSchedules,
  findConnection,
  moduleFile,
  parseWithExtras,
  SAFETY_NET_MS,
  type SyncContext,
  scheduleOf,
} from './read-sync.ts';

/** A two-way sync, checked; null when something about it is wrong, and then it is in the report. */
export function readPairing(name: string, block: Record<string, unknown>, context: SyncContext): PairingConfig | null {
  const { report } = context;
  const path: Path = ['syncs', name];
  const before = report.problems.length;
  checkName(name, path, report);
  const instead = 'a sync between two sides has no from: and to:';
  for (const key of ['from', 'to'])
    if (key in block) report.error([...path, key], 'and between: exclude each other', instead, 'key');
  const { from: _from, to: _to, ...rest } = block;
  const input = report.parse(pairingSchema, rest, path)?.data;
  const blocks = Array.isArray(block.between) ? block.between : [];
  const sides = blocks.slice(0, 2).map((side, i) => (isBlock(side) ? readSide(side, [...path, 'between', i], context) : null));
  const [left, right] = sides;
  if (input === undefined || !left || !right) return null;
  if (left.connection === right.connection) {
    report.error([...path, 'between', 1, 'connection'], 'is both sides at once', 'two sides are two connections');
    return null;
  }
  checkSchedules(input, path, report);
  if (left.link === null && right.link === null) {
    const hint = "say link: on a side that has a unique field for the other one's key, e.g. an external id";
    report.error([...path, 'between'], 'has no link: records that a crash left half made could not be found again', hint);
  }
  const fields = readFields(input, { left, right }, path, context);
  for (const match of input.match ?? []) {
    if (!fields.some((field) => field.right === match)) {
      report.unknown([...path, 'match'], 'is no field of this sync', match, Object.keys(input.fields));
    }
  }
  if (report.problems.slice(before).some(({ severity }) => severity === 'error')) return null;
  const timezone = input.timezone ?? 'UTC';
  const pairing: Omit<PairingConfig, 'fingerprint'> = {
    name,
    left,
    right,
    fields,
    match: input.match ?? [],
    deletes: input.deletes,
    schedule: scheduleOf(input, timezone) ?? (input.live === true ? { kind: 'every', everyMs: SAFETY_NET_MS } : null),
    live: input.live ?? false,
    startDelayMs: input.startDelay ?? 0,
    priority: input.priority ?? null,
    full: input.full === undefined ? null : scheduleOf(input.full, timezone),
    retry: {
      attemptsMax: input.retry?.attempts ?? defaultRetry.attemptsMax,
      delayMs: input.retry?.delay ?? defaultRetry.delayMs,
      delayMsMax: input.retry?.delayMax ?? defaultRetry.delayMsMax,
    },
    notes: input.notes ?? null,
  };
  return { ...pairing, fingerprint: fingerprintOf(pairing) };
}

function readSide(block: Record<string, unknown>, path: Path, context: SyncContext): PairingSide | null {
  const { report } = context;
  if (!('connection' in block)) {
    report.error([...path, 'connection'], 'is missing', 'name a connection');
    return null;
  }
  const connection = findConnection(block.connection, [...path, 'connection'], context);
  if (connection === null) return null;
  const { side } = connection.connector;
  if (side === undefined) {
    const hint = 'use it in from: or to: of a one-way sync';
    report.error(
      [...path, 'connection'],
      `is of type ${connection.connector.name}, which cannot be a side of a two-way sync`,
      hint,
    );
    return null;
  }
  const parsed = parseWithExtras(block, side, sideExtras, path, report, {});
  if (parsed === null) return null;
  const { link, notes } = parsed.extras;
  return { connection: connection.name, spec: parsed.spec, link: link ?? null, notes: notes ?? null };
}

type Sides = { readonly left: PairingSide; readonly right: PairingSide };

function readFields(input: PairingInput, sides: Sides, path: Path, context: SyncContext): PairingField[] {
  const { report } = context;
  const shared = readPolicy(input.conflicts, [...path, 'conflicts'], sides, context);
  const seen = new Map<string, string>();
  return Object.entries(input.fields).flatMap(([right, given]): PairingField[] => {
    const at = [...path, 'fields', right];
    const field = typeof given === 'string' ? { field: given } : given;
    if (field.field.trimStart().startsWith('=')) {
      report.error(at, 'is an expression, which has no way back', 'name a field; compute others with a one-way sync');
      return [];
    }
    const left = field.field.trim();
    const twin = seen.get(left.toLowerCase());
    if (twin !== undefined)
      report.error(at, `takes ${left}, as ${twin} does`, 'two fields of one side cannot be one field of the other');
    seen.set(left.toLowerCase(), right);
    const flows = readFlow(field.to, [...at, 'to'], sides, context);
    const policy = field.conflicts === undefined ? shared : readPolicy(field.conflicts, [...at, 'conflicts'], sides, context);
    return policy === null || flows === null ? [] : [{ left, right, flows, policy }];
  });
}

function readFlow(
  to: string | undefined,
  path: Path,
  { left, right }: Sides,
  { report }: SyncContext,
): PairingField['flows'] | null {
  if (to === undefined) return 'both';
  if (to === left.connection) return 'to-left';
  if (to === right.connection) return 'to-right';
  report.unknown(path, 'is none of the two sides', to, [left.connection, right.connection]);
  return null;
}

function readPolicy(text: string, path: Path, { left, right }: Sides, context: SyncContext): PolicyConfig | null {
  if (text === 'latest' || text === 'manual') return { kind: text };
  if (/^\.{0,2}\//.test(text)) {
    const file = moduleFile(text, path, context);
    return file === null ? null : { kind: 'module', file };
  }
  const type = (side: PairingSide) => context.connections.get(side.connection)?.connector.name;
  if (text === left.connection) return { kind: 'wins', side: 'left' };
  if (text === right.connection) return { kind: 'wins', side: 'right' };
  if (type(left) !== type(right) && text === type(left)) return { kind: 'wins', side: 'left' };
  if ((type(left) !== type(right) && text === type(right)) || text === 'other') return { kind: 'wins', side: 'right' };
  context.report.unknown(path, 'is no rule for conflicts', text, ['latest', 'manual', left.connection, right.connection]);
  return null;
}

function fingerprintOf({ left, right, fields, match, deletes }: Omit<PairingConfig, 'fingerprint'>): string {
  const rules = fields.map(({ policy, ...field }) => ({
    ...field,
    policy: policy.kind === 'module' ? { code: hashFile(policy.file) } : policy,
  }));
  const side = ({ connection, spec, link }: PairingSide) => ({ connection, spec, link });
  return hashOf({ left: side(left), right: side(right), rules, match, deletes });
}
