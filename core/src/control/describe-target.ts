import { basename } from 'node:path';
import type { SyncConfig } from '../config/config.ts';
import { namingKeys } from '../config/datasets.ts';
import { originOf } from '../config/field-origin.ts';
import { nameInFile, syncInFile } from '../config/orgs.ts';
import type { FieldDetails } from '../model/field-details.ts';
import type { FieldSchema } from '../model/schema.ts';
import type { Syncs } from './syncs.ts';

/** What stands in the target of a sync: for whoever programs against it. */
export interface DescribedTarget {
  readonly sync: string;
  /** Whose records: a connection and its dataset, or a module of the user's. */
  readonly from: string;
  readonly to: string;
  /** Every version of a row is kept beside them. */
  readonly history: boolean;
  /** Those of the key first, the others by name: however a system lists them, this is the same. */
  readonly fields: readonly TargetField[];
}

export interface TargetField {
  /** As it is called in the target: a column, say. */
  readonly name: string;
  readonly isKey: boolean;
  readonly schema: FieldSchema;
  /** The source's own name; null when it is made on the way. */
  readonly origin: string | null;
  readonly details: FieldDetails | null;
}

/** Reads source and target, and writes nothing. Of a sync for each org, or in parts, one stands for all: its own names are no matter of theirs. */
export async function describeTarget(sync: SyncConfig, syncs: Syncs, signal: AbortSignal): Promise<DescribedTarget> {
  return syncs.opening(sync, signal, async ({ source, target, steps }): Promise<DescribedTarget> => {
    const places = await target.places?.();
    const details = await source.describeFields?.(signal);
    const names = new Map(source.schema.fields.map(({ name }) => [name.toLowerCase(), name]));
    const fields = steps.schema.fields.map((schema): TargetField => {
      const origin = names.get(originOf(sync, schema.name)?.toLowerCase() ?? '') ?? null;
      const isKey = steps.schema.key.includes(schema.name);
      const name = places?.get(schema.name) ?? schema.name;
      return { name, isKey, schema, origin, details: (origin === null ? undefined : details?.get(origin)) ?? null };
    });
    return {
      sync: syncInFile(sync),
      from:
        sync.from.kind === 'run'
          ? basename(sync.from.file)
          : `${source.schema.name} of ${nameInFile(sync.from.connection, sync.org)}`,
      to: targetOf(sync),
      history: sync.history === true,
      fields: [...fields, ...orgField(sync)].sort(keysFirst),
    };
  });
}

function targetOf(sync: SyncConfig): string {
  const spec = sync.to.spec as { readonly [key: string]: unknown };
  const word = namingKeys.find((key) => typeof spec[key] === 'string');
  const connection = nameInFile(sync.to.connection, sync.org);
  if (sync.org !== undefined && sync.to.scope === undefined) return `${connection}, for each org of ${sync.org.connection}`;
  return word === undefined ? connection : `${word} ${spec[word]} of ${connection}`;
}

/** The column that says whose a row is. */
function orgField({ to }: SyncConfig): TargetField[] {
  if (to.scope === undefined) return [];
  const name = to.scope.column;
  return [{ name, isKey: true, schema: { name, type: 'text', nullable: false }, origin: null, details: null }];
}

function keysFirst(a: TargetField, b: TargetField): number {
  if (a.isKey !== b.isKey) return a.isKey ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
