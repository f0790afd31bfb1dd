import type { Emulator } from '@tidemark/emulator';
import { type Field, fields, orgFields, type SideRecord, type Value } from './fields.ts';
import type { Reads, Writer } from './ledger.ts';

export interface OrgSideOptions {
  onChange(key: string, before: SideRecord | null, after: SideRecord | null, by: Writer): void;
  /** A write of ours has come, to these records that are there already, and is not carried out yet. */
  beforeWrite(ids: readonly string[]): void;
  /** A request of ours has come. */
  onAsked(): void;
}

/** The org's records as a side: what is there, who writes it, and when each life of the engine has read it. */
export class OrgSide {
  readonly #emulator: Emulator;
  /** Commits so far. */
  commits = 0;
  #reads: Reads | undefined;
  #calls = 0;
  readonly #shown = new Map<
    string,
    { readonly ids: readonly string[]; readonly asked: readonly string[]; readonly at: number }
  >();

  readonly #options: OrgSideOptions;

  constructor(emulator: Emulator, options: OrgSideOptions) {
    const { onChange } = options;
    this.#emulator = emulator;
    this.#options = options;
    emulator.org.onCommit(({ changes, origin }) => {
      this.commits++;
      const by: Writer = origin === '' ? { who: 'person' } : { who: 'engine', reads: this.#reads ?? noReads() };
      for (const { object, id, before, after, kind } of changes) {
        if (object !== 'Account') continue;
        const was = kind === 'undelete' || before === undefined || isDeleted(before) ? null : recordOf(before);
        const is = kind === 'delete' || kind === 'purge' || isDeleted(after) ? null : recordOf(after);
        onChange(id, was, is, by);
      }
    });
  }

  read(): Map<string, SideRecord> {
    const names = ['Id', 'App_Id__c', ...Object.values(orgFields)];
    const found = this.#emulator.org.query(`SELECT ${names.join(', ')} FROM Account ORDER BY Id`);
    const rows = found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
    return new Map(rows.map((row) => [String(row.Id), recordOf(row)]));
  }

  /** The emulator as one life of the engine meets it: its writes are known, and what it is shown. */
  emulatorOf(reads: Reads): Emulator {
    const fetch: typeof globalThis.fetch = async (input, init) => {
      this.#options.onAsked();
      if (/\/composite\/sobjects/.test(String(input)))
        this.#options.beforeWrite(String(init?.body ?? input).match(/\b001\w{15}\b/g) ?? []);
      this.#reads = reads;
      const reply = await this.#emulator.fetch(input, init);
      this.#reads = undefined;
      const text = await reply.text();
      const ids = [...new Set(text.match(/\b001\w{15}\b/g) ?? [])];
      const asked = reply.ok ? partnersAsked(`${input} ${init?.body ?? ''}`) : [];
      const headers = new Headers(reply.headers);
      if (ids.length + asked.length > 0) {
        const call = String(++this.#calls);
        this.#shown.set(call, { ids, asked, at: this.commits });
        headers.set('x-simulated-call', call);
      }
      return new Response(reply.status === 204 || reply.status === 304 ? null : text, { status: reply.status, headers });
    };
    return { ...this.#emulator, fetch };
  }

  /** A life of the engine whose `fetch` is this takes note of the records that it was shown. */
  noting(fetch: typeof globalThis.fetch, reads: Reads): typeof globalThis.fetch {
    return async (input, init) => {
      const reply = await fetch(input, init);
      const call = reply.headers.get('x-simulated-call');
      const shown = call === null ? undefined : this.#shown.get(call);
      if (shown !== undefined) {
        this.#shown.delete(call!);
        // What a write answers shows nobody any values.
        if ((init?.method ?? 'GET') === 'GET' || /\/composite$/.test(String(input))) {
          for (const id of shown.ids) reads.seen.set(id, shown.at);
          for (const key of shown.asked) reads.asked.set(key, shown.at);
        }
      }
      return reply;
    };
  }
}

export const noReads = (): Reads => ({ seen: new Map(), asked: new Map() });

/** The app's keys by which a query looks for their partners. */
function partnersAsked(request: string): string[] {
  const text = decodeURIComponent(request.replaceAll('+', ' ').replace(/%(?![0-9A-F]{2})/gi, '%25'));
  return [...text.matchAll(/App_Id__c IN \(([^)]*)\)/g)].flatMap(([, list]) =>
    [...list!.matchAll(/'([^']*)'/g)].map((key) => key[1]!),
  );
}

const isDeleted = (row: Readonly<Record<string, unknown>>) => row.IsDeleted === 1 || row.IsDeleted === true;

function recordOf(row: Readonly<Record<string, unknown>>): SideRecord {
  const values: Partial<Record<Field, Value>> = {};
  for (const field of fields) values[field] = (row[orgFields[field]] ?? null) as Value;
  return { values, partner: (row.App_Id__c ?? null) as string | null };
}
