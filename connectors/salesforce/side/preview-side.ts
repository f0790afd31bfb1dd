import {
  addCalls,
  type Change,
  NO_STAMP,
  noCalls,
  type Rejection,
  type SidePreview,
  type SideWrite,
  type TargetPreview,
  textOf,
  type WriteCalls,
} from '@tidemark/core';
import { idsInReadCall } from '../read-keys.ts';
import { callsToFind } from '../write/find-records.ts';
import type { SalesforceTarget } from '../write/target.ts';

interface PreviewedSide {
  readonly updates: SalesforceTarget;
  readonly creates: SalesforceTarget | null;
  readonly link: string | null;
  readonly recordsPerCall: number;
  /** Made to read, so far. */
  readonly calls: () => number;
}

/** What a side of ours would refuse unsent, and how many calls its reading and writing take. */
export function previewSide({ updates, creates, link, recordsPerCall, calls: made }: PreviewedSide): SidePreview {
  const previews = { update: updates.openPreview({ blind: true }), create: creates?.openPreview({ blind: true }) ?? null };
  const before = made();
  let more = 0;
  let deletes = 0;

  async function refusals(
    preview: TargetPreview,
    changes: readonly Change[],
    signal: AbortSignal,
  ): Promise<readonly (Rejection | null)[]> {
    const told = await preview.write(changes, signal);
    return told.map(({ effect, reason }) => (effect === 'refused' ? (reason ?? null) : null));
  }

  return {
    async write(writes, signal) {
      const refused = new Map<SideWrite, Rejection | null>();
      const updated = writes.filter((write) => write.op === 'update');
      const changes = updated.map(({ key, row }): Change => ({ op: 'upsert', key, row, stampMs: NO_STAMP }));
      if (changes.length > 0) {
        for (const [i, reason] of (await refusals(previews.update, changes, signal)).entries()) refused.set(updated[i]!, reason);
      }
      const created = writes.filter((write) => write.op === 'create');
      if (created.length > 0 && previews.create !== null) {
        const keyed = created.map(({ row }): Change => ({ op: 'upsert', key: textOf(row[link!])!, row, stampMs: NO_STAMP }));
        const reasons = await refusals(previews.create, keyed, signal);
        for (const [i, reason] of reasons.entries()) refused.set(created[i]!, reason);
        // Their Ids are asked for afterwards.
        more += callsToFind(keyed.filter((_, i) => reasons[i] === null).map(({ key }) => key));
      }
      deletes += Math.ceil(writes.filter((write) => write.op === 'delete').length / recordsPerCall);
      return writes.map((write) => refused.get(write) ?? null);
    },
    readMade(records) {
      more += Math.ceil(records / idsInReadCall);
    },
    get calls(): WriteCalls {
      const sum = { ...noCalls(), reads: made() - before + more, collections: deletes };
      for (const preview of [previews.update, previews.create]) if (preview !== null) addCalls(sum, preview.calls);
      return sum;
    },
  };
}
