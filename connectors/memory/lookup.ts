import {
  type FieldValue,
  type Found,
  type Lookup,
  type LookupSpec,
  newRow,
  RequestRefusedError,
  type Row,
  textOf,
} from '@tidemark/core';
import type { MemoryFrom } from './config.ts';
import type { Memory } from './memory.ts';

/** Finds rows of a dataset by a field, in the order of their keys. */
export function openLookup(memory: Memory, { lookup, key, fields }: LookupSpec<MemoryFrom>): Lookup {
  const schema = memory.dataset(lookup.dataset).schema;
  const unknown = [key, ...fields].find((name) => !schema?.fields.some((field) => field.name === name));
  if (unknown !== undefined) throw new RequestRefusedError(`${lookup.dataset} has no field ${unknown}`);
  return {
    valuesMax: 1000,
    types: new Map(schema!.fields.map(({ name, type }) => [name, type])),
    async find(values: readonly FieldValue[]): Promise<ReadonlyMap<string, Found>> {
      const wanted = new Set(values.map(textOf));
      const found = new Map<string, Row[]>();
      const stored = [...memory.dataset(lookup.dataset).rows()].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [, { row, deletedAtMs }] of stored) {
        const text = textOf(row[key]);
        if (deletedAtMs !== null || text === null || !wanted.has(text)) continue;
        const picked = newRow();
        for (const name of fields) picked[name] = row[name] ?? null;
        found.set(text, [...(found.get(text) ?? []), picked]);
      }
      return found;
    },
    async [Symbol.asyncDispose]() {},
  };
}
