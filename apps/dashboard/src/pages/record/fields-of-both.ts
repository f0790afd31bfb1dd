import type { OutlineShape } from '@tidemark/core/api';
import type { ComparedField } from '../../parts/compared-field.ts';

type Row = Readonly<Record<string, unknown>>;

/**
 * The fields of a record on both sides, those that belong together in a line.
 * @param mapping  null: every field under its own name
 */
export function fieldsOfBoth(left: Row, right: Row, mapping: OutlineShape['fields']): readonly ComparedField[] {
  const pairs = mapping ?? Object.keys({ ...left, ...right }).map((name) => ({ source: name, target: name }));
  const mapped = pairs.map(({ source, target }) => ({
    name: source === target || source.startsWith('=') ? target : `${source}, ${target}`,
    values: [left[source], right[target]],
  }));
  const sources = new Set(pairs.map(({ source }) => source));
  const targets = new Set(pairs.map(({ target }) => target));
  const others = [
    ...Object.keys(left).flatMap((name) => (sources.has(name) ? [] : [{ name, values: [left[name], undefined] }])),
    ...Object.keys(right).flatMap((name) => (targets.has(name) ? [] : [{ name, values: [undefined, right[name]] }])),
  ];
  return [...mapped, ...others.filter(({ name }) => !mapped.some((field) => field.name === name))];
}
