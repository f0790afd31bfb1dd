import type { CallBudget, CallUsage } from '@tidemark/core';

/** Of a reply's `Sforce-Limit-Info`: `api-usage=10018/100000` is what all clients of the org have used of its calls of 24 hours. */
export function usageOf(limitInfo: string | null): CallUsage | null {
  const match = /(?:^|[\s,;])api-usage=(\d+)\/(\d+)/.exec(limitInfo ?? '');
  return match === null ? null : { used: Number(match[1]), max: Number(match[2]) };
}

/** Where nobody counts the calls of several processes: only what the org told is known. */
export function uncounted(): CallBudget {
  let last: CallUsage | null = null;
  return {
    admit: async () => {},
    ended(usage) {
      last = usage ?? last;
    },
    exhausted() {},
    usage: () => last,
  };
}
