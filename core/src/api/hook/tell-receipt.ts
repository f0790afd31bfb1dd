import type { HookConfig } from '../../config/config.ts';
import type { Receipt, RecordOutcome } from '../../model/inbox.ts';

export interface ToldRecord {
  readonly key: string;
  readonly status: RecordOutcome['status'] | 'pending';
  readonly id?: string;
  readonly error?: { readonly code: string; readonly message: string };
  /** It is kept, and tried again by itself. */
  readonly retried?: true;
}

export interface ToldPost {
  readonly id: string;
  readonly href: string;
  /** `refused`: one of its records at least. */
  readonly status: 'pending' | 'done' | 'refused';
  readonly receivedAt: string;
  readonly records: readonly ToldRecord[];
}

/** A receipt as who sent the post sees it. */
export function tellReceipt(hook: Pick<HookConfig, 'path'>, receipt: Receipt, retried: ReadonlySet<string>): ToldPost {
  const { id, keys, outcomes, atMs } = receipt;
  const isRefused = outcomes?.some(({ status }) => status === 'refused') ?? false;
  return {
    id,
    href: hrefOf(hook, id),
    status: outcomes === null ? 'pending' : isRefused ? 'refused' : 'done',
    receivedAt: new Date(atMs).toISOString(),
    records: keys.map((key, i) => toldRecord(key, outcomes?.[i] ?? null, retried)),
  };
}

export function hrefOf({ path }: Pick<HookConfig, 'path'>, id: string): string {
  return `${path}/${id}`;
}

export function toldRecord(key: string, outcome: RecordOutcome | null, retried: ReadonlySet<string>): ToldRecord {
  if (outcome === null) return { key, status: 'pending' };
  const { status, id, code, message } = outcome;
  return {
    key,
    status,
    ...(id !== undefined && { id }),
    ...(code !== undefined && { error: { code, message: message ?? '' } }),
    ...(status === 'refused' && retried.has(key) && { retried: true as const }),
  };
}
