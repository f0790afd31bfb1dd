import type { Emulator } from '@tidemark/emulator';
import type { Mapped, Values } from './mapping.ts';
import type { Copy } from './simulated-target.ts';
import { differences, truthOf } from './truth.ts';

/** From this commit of the org on, a record was so; null when it was not there. */
interface Version {
  readonly since: number;
  readonly text: string | null;
  /** From before the syncs begin: the target may know nothing of it. */
  readonly isOptional: boolean;
}

const matches = (version: Version, text: string | null): boolean =>
  version.text === text || (version.isOptional && text === null);

/** Every state that each record was in, by the number of the org's commits. */
export class OrgHistory {
  readonly #mappings: readonly Mapped[];
  readonly #emulator: Emulator;
  readonly #versions = new Map<string, Version[]>();
  /** Commits so far. State 0 is before the first. */
  commits = 0;

  constructor(emulator: Emulator, mappings: readonly Mapped[]) {
    this.#emulator = emulator;
    this.#mappings = mappings;
    emulator.org.onCommit(({ changes }) => {
      this.commits++;
      for (const mapped of mappings) {
        for (const { object, after, kind, id } of changes) {
          if (object !== mapped.object) continue;
          const isGone = kind === 'delete' || kind === 'purge' || after.IsDeleted === 1;
          const values = Object.fromEntries(
            Object.entries(mapped.fields).map(([column, field]) => [column, (after[field] ?? null) as string | null]),
          );
          const text = isGone ? null : textOf(values, mapped);
          const last = this.#versions.get(`${mapped.table} ${id}`)?.at(-1);
          // What changes in other fields alone is nothing new to the target.
          const isOptional = this.#isBeforeStart(mapped) || (last?.isOptional === true && last.text === text);
          this.#keep(mapped, id, { since: this.commits, text, isOptional });
        }
      }
    });
  }

  #isBeforeStart({ startAtMs }: Mapped): boolean {
    return startAtMs !== null && this.#emulator.org.clock.now() < startAtMs;
  }

  #keep(mapped: Mapped, id: string, version: Version): void {
    const key = `${mapped.table} ${id}`;
    const versions = this.#versions.get(key) ?? [{ since: 0, text: null, isOptional: false }];
    this.#versions.set(key, versions);
    versions.push(version);
  }

  /**
   * The commits, from `from` on, after which the org was just as the target is now; empty when it never was. Where it is empty the
   * second says why: a record that never was so, or two that were not so at the same time.
   */
  momentsOf(copy: Copy, from: number): { moments: number[]; reason: string } {
    let moments = Array.from({ length: this.commits - from + 1 }, (_, i) => from + i);
    for (const mapped of this.#mappings) {
      const rows = copy.get(mapped.table)!;
      for (const [key, versions] of this.#versions) {
        const [table, id] = key.split(' ') as [string, string];
        if (table !== mapped.table) continue;
        const row = rows.get(id);
        const text = row === undefined ? null : textOf(row, mapped);
        const left = moments.filter((moment) => matches(versions.findLast(({ since }) => since <= moment)!, text));
        if (left.length === 0) {
          const was = versions.filter((version) => version.text === text).map(({ since }) => since);
          const span = `${moments[0]} to ${moments.at(-1)}`;
          return {
            moments: [],
            reason:
              was.length === 0
                ? `${key} is ${text}, which it never was: ${versions.map((version) => `${version.since} ${version.text}`).join(', ')}`
                : `${key} is as after commit ${was.join(' or ')} of the org, while others are as after ${span} (of ${this.commits}): ${text}`,
          };
        }
        moments = left;
      }
    }
    return { moments, reason: '' };
  }

  /**
   * The first record that is as it was before it was seen last, or before a commit that everything is past, or as it never was; null
   * when there is none. Takes note of what is seen now. Rows that a filter decides about come and go.
   */
  goneBack(copy: Copy, seen: Map<string, number>, past: number): string | null {
    for (const mapped of this.#mappings) {
      if (mapped.where !== null) continue;
      const rows = copy.get(mapped.table)!;
      for (const [key, versions] of this.#versions) {
        const [table, id] = key.split(' ') as [string, string];
        if (table !== mapped.table) continue;
        const row = rows.get(id);
        const text = row === undefined ? null : textOf(row, mapped);
        const low = seen.get(key) ?? 0;
        const isPast = (i: number) => (versions[i + 1]?.since ?? Number.POSITIVE_INFINITY) > past;
        const at = versions.findIndex((version, i) => i >= low && isPast(i) && matches(version, text));
        if (at < 0)
          return `${key} is ${text} and was seen as ${versions[low]!.text} before, of ${versions.map((v) => v.text).join(', ')}`;
        seen.set(key, at);
      }
    }
    return null;
  }

  /** How target and org differ now; empty when they are equal. */
  differences(copy: Copy | null): string[] {
    if (copy === null) return ['the tables are not made'];
    return this.#mappings.flatMap((mapped) => {
      const isOptional = (id: string) => this.#versions.get(`${mapped.table} ${id}`)?.at(-1)?.isOptional ?? false;
      return differences(mapped, truthOf(this.#emulator, mapped), copy.get(mapped.table)!, isOptional);
    });
  }
}

function textOf(row: Values, { fields }: Mapped): string {
  let text = '';
  for (const column in fields) if (column !== 'id') text += `${row[column] ?? ''}|`;
  return text;
}
