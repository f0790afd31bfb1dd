import type { Emulator } from '@tidemark/emulator';
import type { Mapped, Values } from './mapping.ts';

/** What the org holds now, as the target should. */
export function truthOf({ org }: Emulator, mapped: Mapped): Map<string, Values> {
  const { fields, object } = mapped;
  const result = org.query(`SELECT ${Object.values(fields).join(', ')} FROM ${object} ORDER BY Id`);
  const truth = new Map<string, Values>();
  for (let at = 0; at < result.totalSize; at += 2000) {
    for (const row of result.page(at, 2000, 'v62.0') as Record<string, string | null>[]) {
      const values = Object.fromEntries(Object.entries(fields).map(([column, field]) => [column, row[field] ?? null]));
      if (mapped.where?.holds(values) ?? true) truth.set(values.id!, completed(values, mapped));
    }
  }
  return truth;
}

function completed(values: Values, { computed }: Mapped): Values {
  const made = Object.entries(computed).map(([column, { value }]) => [column, value(values)] as const);
  return { ...values, ...Object.fromEntries(made) };
}

/**
 * How a target differs from the org, in as few words as will do; empty when they are equal.
 * @param isOptional  whether the target need not know of a record
 */
export function differences(
  mapped: Mapped,
  truth: ReadonlyMap<string, Values>,
  copy: ReadonlyMap<string, Values>,
  isOptional: (id: string) => boolean,
): string[] {
  const found: string[] = [];
  const say = (id: string, what: string) => found.push(`${mapped.table} ${id}: ${what}`);
  for (const [id, wanted] of truth) {
    const row = copy.get(id);
    if (row === undefined) {
      if (!isOptional(id)) say(id, 'is in the org and not in the target');
      continue;
    }
    for (const [column, value] of Object.entries(wanted)) {
      if (row[column] === value) continue;
      const [copied, wantedText] = shown(row[column] ?? null, value);
      say(id, `${column} is ${copied} and ${wantedText} in the org`);
    }
  }
  for (const id of copy.keys()) if (!truth.has(id)) say(id, 'is in the target and not in the org');
  return found;
}

/** Two values, less the lines that long texts have in common. */
function shown(...values: [string | null, string | null]): [string, string] {
  const [some, others] = values.map((value) => value?.split('\n') ?? []) as [string[], string[]];
  const own = (value: string | null, lines: string[], theirs: string[]) =>
    lines.length > 1 && theirs.length > 1 ? lines.filter((line) => !theirs.includes(line)).join('\n') : value;
  return [JSON.stringify(own(values[0], some, others)), JSON.stringify(own(values[1], others, some))];
}
