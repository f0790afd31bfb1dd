/** One HTTP request as tests want to see it. Never holds a token or a body. */
export interface RequestEntry {
  n: number;
  atMs: number;
  method: string;
  /** Path and query. */
  url: string;
  /** The resource (`query`, `composite`, `bulk.results` …), or the surface for others (`oauth.token`, `soap.login`). */
  kind: string;
  status: number;
  /** 1 if it counted against the daily limit. */
  apiCalls: number;
  /** Kinds of the subrequests of a Composite call. */
  subrequests: string[];
  /** Ids of the faults that struck it. */
  faults: string[];
}

/** What was asked of the emulator since it began or since `reset`: a test asserts "one API call" on it. */
export interface RequestLog {
  open(entry: Pick<RequestEntry, 'atMs' | 'method' | 'url'>): RequestEntry;
  entries(): readonly RequestEntry[];
  totals(): { requests: number; apiCalls: number; byKind: Record<string, number> };
  reset(): void;
}

const entriesMax = 20_000;

export function createRequestLog(): RequestLog {
  let entries: RequestEntry[] = [];
  let n = 0;
  return {
    open(entry) {
      n += 1;
      const full: RequestEntry = { n, ...entry, kind: 'unknown', status: 0, apiCalls: 0, subrequests: [], faults: [] };
      entries.push(full);
      if (entries.length > entriesMax) entries = entries.slice(entriesMax / 2);
      return full;
    },
    entries: () => entries,
    totals() {
      const byKind: Record<string, number> = {};
      let apiCalls = 0;
      for (const entry of entries) {
        byKind[entry.kind] = (byKind[entry.kind] ?? 0) + 1;
        apiCalls += entry.apiCalls;
      }
      return { requests: entries.length, apiCalls, byKind };
    },
    reset() {
      entries = [];
    },
  };
}
