import { InvariantError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import type { HookConfig, SyncConfig } from '../config/config.ts';
import { inboxOf } from '../config/read-hook.ts';
import type { Change } from '../model/change.ts';
import type { Inbox, Post, Receipt, RecordOutcome } from '../model/inbox.ts';
import type { Outcomes } from '../pipeline/outcomes.ts';
import type { EngineOptions, EngineParts } from './engine-options.ts';

type Parts = Pick<EngineOptions, 'config' | 'store' | 'clock'> & Pick<EngineParts, 'connection'>;

/** Whoever waits for an outcome looks this often, because another process may be the one that brings the post on. */
const LOOK_MS = 500;

/** What others hand over to syncs of this configuration. */
export class Hooks {
  readonly #parts: Parts;
  readonly #inboxes = new Map<string, Promise<Inbox>>();
  /** By the id of the receipt that they wait for. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Null for a sync that there is not, or that is not fed by a hook. */
  get(sync: string): HookConfig | null {
    return hookOf(this.#parts.config.syncs.get(sync));
  }

  names(): readonly string[] {
    return [...this.#parts.config.syncs.values()].flatMap((sync) => (hookOf(sync) === null ? [] : [sync.name]));
  }

  /** @throws {SyncError} it is not kept */
  async take(sync: string, post: Post): Promise<{ readonly receipt: Receipt; readonly isNew: boolean }> {
    return (await this.#inbox(sync)).take(post);
  }

  async receipt(sync: string, id: string): Promise<Receipt | null> {
    return (await this.#inbox(sync)).receipt(id);
  }

  /** Keys of records of this receipt that were refused and are tried again by themselves. */
  async retried(sync: string, { keys }: Receipt): Promise<ReadonlySet<string>> {
    return new Set((await this.#parts.store.failures({ sync, keys: [...new Set(keys)] })).map(({ key }) => key));
  }

  /** The receipt once it tells what became of the post, or as it is when the time is up or the signal aborts. */
  async settled(sync: string, receipt: Receipt, untilMs: number, signal: AbortSignal): Promise<Receipt> {
    const { clock } = this.#parts;
    const inbox = await this.#inbox(sync);
    for (let known = receipt; ; ) {
      const leftMs = untilMs - clock.now();
      if (known.outcomes !== null || leftMs <= 0 || signal.aborted) return known;
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      const told = this.#told(receipt.id, either);
      // It may have been settled before anybody listened.
      known = (await inbox.receipt(receipt.id)) ?? known;
      if (known.outcomes === null) await Promise.race([told, clock.sleep(Math.min(leftMs, LOOK_MS), either).catch(() => {})]);
      over.abort();
      await told;
      if (known.outcomes === null) known = (await inbox.receipt(receipt.id)) ?? known;
    }
  }

  /** Undefined for a sync that is not fed by a hook. */
  outcomesOf(sync: SyncConfig, ownKey: boolean): Outcomes | undefined {
    if (hookOf(sync) === null) return undefined;
    return new NotedOutcomes({
      inbox: () => this.#inbox(sync.name),
      isOpen: (keys) => this.#open(sync.name, ownKey ? [] : keys),
      settled: (ids) => {
        for (const id of ids) for (const wake of [...(this.#waiting.get(id) ?? [])]) wake();
      },
    });
  }

  #told(id: string, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    return new Promise((resolve) => {
      const wake = () => {
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(id);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }

  async #open(sync: string, keys: readonly string[]): Promise<ReadonlyMap<string, RecordOutcome>> {
    if (keys.length === 0) return new Map();
    const failures = await this.#parts.store.failures({ sync, keys });
    return new Map(failures.map(({ key, code, message }) => [key, { status: 'refused', code, message }]));
  }

  #inbox(name: string): Promise<Inbox> {
    const known = this.#inboxes.get(name);
    if (known !== undefined) return known;
    const opened = this.#openInbox(name);
    this.#inboxes.set(name, opened);
    opened.catch(() => this.#inboxes.delete(name));
    return opened;
  }

  async #openInbox(name: string): Promise<Inbox> {
    const { config, connection } = this.#parts;
    const sync = config.syncs.get(name);
    const hook = hookOf(sync);
    if (hook === null || sync!.from.kind !== 'connection') throw new InvariantError(`${name} is not fed by a hook`);
    const opened = connection(sync!.from.connection);
    if (opened.openInbox === undefined) throw new InvariantError(`${sync!.from.connection} keeps nothing that is handed over`);
    return opened.openInbox(inboxOf(name, hook));
  }
}

function hookOf(sync: SyncConfig | undefined): HookConfig | null {
  return sync?.from.kind === 'connection' ? (sync.from.hook ?? null) : null;
}

interface NotedParts {
  inbox(): Promise<Inbox>;
  /** Which of these records have an open failure, and why. */
  isOpen(keys: readonly string[]): Promise<ReadonlyMap<string, RecordOutcome>>;
  settled(ids: Iterable<string>): void;
}

/** Gathers what is told of records until all of a post have been tried, and notes it with the post's receipt. */
class NotedOutcomes implements Outcomes {
  readonly #parts: NotedParts;
  readonly #told = new Map<string, RecordOutcome>();
  /** Key in the target → key in the source, of what was merged into a failure. */
  readonly #sources = new Map<string, string>();
  #waiting = new Set<string>();

  constructor(parts: NotedParts) {
    this.#parts = parts;
  }

  told(key: string, outcome: RecordOutcome): void {
    const { message } = outcome;
    this.#told.set(this.#sources.get(key) ?? key, message === undefined ? outcome : { ...outcome, message: scrub(message) });
  }

  waits(changes: readonly Change[]): void {
    for (const { key, sourceKey } of changes) {
      this.#waiting.add(key);
      if (sourceKey !== undefined) this.#sources.set(key, sourceKey);
    }
  }

  waiting(): readonly string[] {
    const keys = [...this.#waiting];
    this.#waiting = new Set();
    return keys;
  }

  async reached(position: string): Promise<void> {
    const inbox = await this.#parts.inbox();
    for (;;) {
      const { receipts, isInside } = await inbox.read(position);
      if (receipts.length === 0) {
        // Of a post that is read in several batches, what the first have come to is wanted with the last.
        if (!isInside) this.#forget();
        return;
      }
      const lacking = new Set(receipts.flatMap(({ keys }) => keys.filter((key) => !this.#told.has(key))));
      const open = await this.#parts.isOpen([...lacking]);
      const outcomeOf = (key: string): RecordOutcome => this.#told.get(key) ?? open.get(key) ?? { status: 'unknown' };
      await inbox.settle(new Map(receipts.map(({ id, keys }) => [id, keys.map(outcomeOf)])));
      this.#parts.settled(receipts.map(({ id }) => id));
    }
  }

  #forget(): void {
    this.#told.clear();
    this.#sources.clear();
  }
}
