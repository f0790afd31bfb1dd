import type { Allowance } from '@tidemark/core';
import type { Client } from './client.ts';

const dayMs = 24 * 3_600_000;

interface Limit {
  readonly Max?: number;
  readonly Remaining?: number;
}

/** Of `/limits` what we use: API requests and, shared by all subscribers of all channels, deliveries of events. */
export async function readAllowances(client: Client, signal?: AbortSignal): Promise<readonly Allowance[]> {
  const { body } = await client.request({ method: 'GET', path: '/limits', about: 'asking for the limits of the org', signal });
  return allowancesOf(body);
}

function allowancesOf(body: unknown): readonly Allowance[] {
  const limits = (body ?? {}) as { readonly DailyApiRequests?: Limit; readonly DailyDeliveredPlatformEvents?: Limit };
  const read = (name: Allowance['name'], limit: Limit | undefined): Allowance[] => {
    // An org without the feature says 0.
    if (limit?.Max === undefined || limit.Max <= 0) return [];
    return [{ name, max: limit.Max, used: limit.Max - (limit.Remaining ?? 0), windowMs: dayMs }];
  };
  return [...read('requests', limits.DailyApiRequests), ...read('event deliveries', limits.DailyDeliveredPlatformEvents)];
}

export function requestsOf(usage: { readonly used: number; readonly max: number } | null): readonly Allowance[] {
  return usage === null ? [] : [{ name: 'requests', used: usage.used, max: usage.max, windowMs: dayMs }];
}
