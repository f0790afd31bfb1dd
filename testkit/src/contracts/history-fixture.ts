import type { Block, Change, DatasetSchema, LoadCounts, StreamWriter, Target, TargetScope, WriteResult } from '@tidemark/core';
import { contactSchema, loadBlock, type StampedRow } from './rows.ts';
import type { Ask, HistoryPlace } from './sound-history.ts';

/** A fresh SQL target whose versions can be looked at. */
export interface HistoryFixture extends AsyncDisposable {
  /** The dataset `contacts`, opened as a process of its own would. */
  open(options: {
    history: boolean | undefined;
    deletes?: 'mirror' | 'mark';
    schema?: DatasetSchema;
    /** `contract` unless told otherwise. */
    unit?: string;
    scope?: TargetScope;
  }): Promise<Target>;
  openStreamWriter(targets: readonly Target[]): Promise<StreamWriter>;
  /** As another program would. */
  readonly ask: Ask;
}

export const never = new AbortController().signal;
export const contactColumns = contactSchema.fields.map(({ name }) => name);
export const contactsPlace: HistoryPlace = { table: 'contacts', columns: contactColumns };

/** A prepared target with its unit taken over. */
export interface OwnedTarget {
  readonly target: Target;
  readonly epoch: number;
  write(changes: readonly Change[]): Promise<readonly WriteResult[]>;
}

export async function ownTarget(
  fixture: HistoryFixture,
  options: Parameters<HistoryFixture['open']>[0] = { history: true },
): Promise<OwnedTarget> {
  const target = await fixture.open(options);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(options.unit ?? 'contract');
  return { target, epoch, write: (changes) => target.write(changes, { epoch, settle: async () => 'on' }, never) };
}

/** A full load from its beginning to its end; what it does not hold is gone. */
export async function loadWhole(
  { target, epoch }: Pick<OwnedTarget, 'target' | 'epoch'>,
  loadId: string,
  rows: readonly StampedRow[],
  style: 'text' | 'values' = 'text',
): Promise<LoadCounts> {
  await using load = await target.beginLoad!({ epoch, loadId, stampColumn: contactSchema.fields.length }, never);
  await load.writePage(one(loadBlock(rows, contactSchema, () => style)), 'page', async () => {}, never);
  const gone: string[] = [];
  for await (const keys of load.missingKeys()) gone.push(...keys);
  const counts = await load.finish({ gone, checkpoint: 'on', reject: async () => {}, signal: never });
  await load.settle?.(never);
  return counts;
}

async function* one(block: Block): AsyncGenerator<Block> {
  yield block;
}
