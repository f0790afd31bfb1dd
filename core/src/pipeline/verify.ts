import { RequestRefusedError } from '../base/errors.ts';
import { changesOfBlock } from '../model/block.ts';
import { differingFields } from '../model/compare.ts';
import type { Row } from '../model/value.ts';
import { applyChanges } from './apply.ts';
import { inTurn, type OpenedSync, type RunScope } from './opened-sync.ts';

/** One record in which source and target disagree, after a delta and a second look. */
export interface Difference {
  readonly key: string;
  readonly kind: 'missing' | 'extra' | 'different';
  /** Fields that differ. Values are not shown: they may be personal. */
  readonly fields: readonly string[];
}

export interface Verdict {
  /** Records of the source that were compared. */
  readonly verified: number;
  readonly differences: number;
  /** The first of them. */
  readonly examples: readonly Difference[];
  /** Records with an open failure: known to differ, and counted apart. */
  readonly failing: number;
  readonly repaired: number;
  /** Of a two-way sync: fields and records about which somebody has still to decide. */
  readonly conflicts?: number;
}

const EXAMPLES = 20;
const BATCH = 200;

/**
 * Proves that the target holds what the source holds (P12), or names what it does not.
 * Reads everything once, then looks again at what differs: a record that was changed in between is no difference.
 *
 * @param settle  brings in what changed since the last run, before the second look
 */
export async function verify(
  sync: OpenedSync,
  scope: RunScope,
  failing: Set<string>,
  settle: () => Promise<void>,
  options: { readonly repair: boolean },
): Promise<Verdict> {
  if (options.repair && sync.source.readKeys === undefined) {
    throw new RequestRefusedError(
      `the source of ${sync.config.name} cannot be read by key, so that single records cannot be repaired`,
      {
        hint: `verify without --repair, or repair all of it: tidemark run ${sync.config.name} --full`,
      },
    );
  }
  const first = sync.target.beginLoad !== undefined ? await compareByLoad(sync, scope) : await compareByRead(sync, scope);
  await settle();
  const examples: Difference[] = [];
  let differences = 0;
  let repaired = 0;
  for (let at = 0; at < first.suspects.length; at += BATCH) {
    const suspects = first.suspects.slice(at, at + BATCH).filter((key) => !failing.has(key));
    const found = await secondLook(sync, scope, suspects);
    differences += found.length;
    examples.push(...found.slice(0, EXAMPLES - examples.length));
    if (options.repair && found.length > 0) {
      const keys = found.map((difference) => difference.key);
      const repair = async () => {
        const now = await sync.source.readKeys!(keys, scope.signal);
        await applyChanges(sync, scope, now, null, failing, { anew: true });
      };
      await inTurn(sync, repair);
      repaired += found.length - (await secondLook(sync, scope, keys)).length;
    }
  }
  return { verified: first.verified, differences, examples, failing: failing.size, repaired };
}

interface FirstLook {
  readonly verified: number;
  readonly suspects: readonly string[];
}

async function compareByLoad(sync: OpenedSync, scope: RunScope): Promise<FirstLook> {
  const stampColumn = sync.steps.schema.fields.length;
  await using load = await sync.target.beginLoad!(
    { epoch: scope.epoch, loadId: `verify:${scope.epoch}`, stampColumn },
    scope.signal,
  );
  try {
    const estimate = await sync.source.estimate(scope.signal);
    scope.tally.progress('verifying', 0, estimate);
    for await (const page of sync.source.readFull(null, scope.signal)) {
      const blocks = async function* () {
        for await (const block of page.blocks) {
          scope.tally.read += block.rowCount;
          scope.tally.progress('verifying', scope.tally.read, estimate);
          const stepped = (await sync.steps.block(block)).block;
          if (stepped.rowCount > 0) yield stepped;
        }
      };
      // A row that the target refuses is missing there, and shows as such.
      await load.writePage(blocks(), page.position, async () => {}, scope.signal);
    }
    const suspects: string[] = [];
    for await (const difference of load.differences()) suspects.push(difference.key);
    return { verified: load.rows, suspects };
  } finally {
    await load.discard();
  }
}

/** For a target without a loader: every record is looked up. Rows that the target has too much do not show. */
async function compareByRead(sync: OpenedSync, scope: RunScope): Promise<FirstLook> {
  const { source, steps, target, config } = sync;
  if (target.read === undefined) {
    throw new RequestRefusedError(`the target of ${config.name} cannot be read back, so there is nothing to verify`, {
      hint: 'verify works on databases',
    });
  }
  const suspects: string[] = [];
  let verified = 0;
  for await (const page of source.readFull(null, scope.signal)) {
    for await (const block of page.blocks) {
      const read = changesOfBlock(block, source.schema.fields, source.schema.key, source.stampField);
      const upserts = (await steps.changes(read)).changes.filter((change) => change.op === 'upsert');
      const held = await target.read(upserts.map((change) => change.key));
      verified += upserts.length;
      scope.tally.progress('verifying', verified);
      for (const change of upserts) {
        const row = held.get(change.key);
        if (row === undefined || differing(sync, change.row!, row).length > 0) suspects.push(change.key);
      }
    }
  }
  return { verified, suspects };
}

/** Both sides once more, by key. */
async function secondLook(sync: OpenedSync, scope: RunScope, keys: readonly string[]): Promise<readonly Difference[]> {
  const { source, steps, target } = sync;
  if (keys.length === 0) return [];
  if (source.readKeys === undefined || target.read === undefined) {
    return keys.map((key) => ({ key, kind: 'different' as const, fields: [] }));
  }
  const { changes } = await steps.changes(await source.readKeys(keys, scope.signal));
  const wanted = new Map<string, Row>(changes.flatMap((change) => (change.op === 'upsert' ? [[change.key, change.row!]] : [])));
  const held = await target.read(keys);
  return keys.flatMap((key): Difference[] => {
    const want = wanted.get(key);
    const has = held.get(key);
    if (want === undefined)
      return has === undefined || sync.config.deletes === 'ignore' ? [] : [{ key, kind: 'extra', fields: [] }];
    if (has === undefined) return [{ key, kind: 'missing', fields: [] }];
    const fields = differing(sync, want, has);
    return fields.length === 0 ? [] : [{ key, kind: 'different', fields }];
  });
}

function differing({ target, steps }: Pick<OpenedSync, 'target' | 'steps'>, row: Row, held: Row): readonly string[] {
  return target.differing?.(row, held) ?? differingFields(row, held, steps.schema.fields);
}
