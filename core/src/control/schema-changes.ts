import type { SyncConfig } from '../config/config.ts';
import type { PairingConfig, PairingSide } from '../config/pairing.ts';
import type { SchemaChange } from '../model/connector.ts';
import { prepareTarget } from '../pipeline/prepare-target.ts';
import type { EngineParts } from './engine-options.ts';
import type { Syncs } from './syncs.ts';

/** What the two systems of a sync lack, or what was made there. */
export interface SyncSchema {
  readonly sync: string;
  readonly source: readonly SchemaChange[];
  /** Null when that can be told only once the source is ready. */
  readonly target: readonly SchemaChange[] | null;
}

export interface SchemaAccess {
  readonly syncs: Syncs;
  readonly connection: EngineParts['connection'];
}

export async function planSchema(sync: SyncConfig, access: SchemaAccess, signal: AbortSignal): Promise<SyncSchema> {
  const { from } = sync;
  const source = from.kind === 'connection' ? await access.connection(from.connection).planSource?.(from.spec) : [];
  if (source !== undefined && source.length > 0) return { sync: sync.name, source, target: null };
  return { sync: sync.name, source: [], target: await access.syncs.opening(sync, signal, ({ target }) => target.plan()) };
}

/** The source first: what arrives at the target is known only then. */
export async function applySchema(sync: SyncConfig, access: SchemaAccess, signal: AbortSignal): Promise<SyncSchema> {
  const { from } = sync;
  const source = from.kind === 'connection' ? await access.connection(from.connection).prepareSource?.(from.spec, signal) : [];
  const { changes } = await access.syncs.opening(sync, signal, prepareTarget);
  return { sync: sync.name, source: source ?? [], target: changes };
}

/** Only the source's side: the target's tables hold the user's data. Says which other syncs have lost something by it. */
export async function removeSchema(sync: SyncConfig, access: SchemaAccess, signal: AbortSignal): Promise<SyncSchema> {
  const { from } = sync;
  if (from.kind !== 'connection') return { sync: sync.name, source: [], target: [] };
  const connection = access.connection(from.connection);
  const lacking = async ({ from: other }: SyncConfig) =>
    other.kind === 'connection' &&
    other.connection === from.connection &&
    ((await connection.planSource?.(other.spec)) ?? []).length > 0;
  const ready: SyncConfig[] = [];
  for (const other of access.syncs.all())
    if (other.name !== sync.name && !(await lacking(other).catch(() => true))) ready.push(other);
  const source = [...((await connection.removeSource?.(from.spec, signal)) ?? [])];
  for (const other of ready) {
    if (!(await lacking(other).catch(() => true))) continue;
    source.push({
      summary: `${other.name} reads this as well, and fails until it is applied again or reads otherwise`,
      informational: true,
    });
  }
  return { sync: sync.name, source, target: [] };
}

/** Of a two-way sync: what the first side lacks, and the second. */
export async function pairingSchema(
  { name, left, right }: PairingConfig,
  connection: EngineParts['connection'],
  what: 'planSource' | 'prepareSource' | 'removeSource',
  signal: AbortSignal,
): Promise<SyncSchema> {
  const of = async (side: PairingSide) => (await connection(side.connection)[what]?.(side.spec, signal)) ?? [];
  return { sync: name, source: await of(left), target: await of(right) };
}
