import type { Connector, FieldSchema, LookupSpec, Row } from '@tidemark/core';
import { type MemoryConfig, type MemoryFrom, type MemoryTo, memoryConfig, memoryFrom, memoryTo } from './config.ts';
import type { Faults } from './faults.ts';
import { openLookup } from './lookup.ts';
import { Memory } from './memory.ts';
import { MemorySource } from './source.ts';
import { MemoryStreamWriter } from './stream-writer.ts';
import { MemoryTarget } from './target.ts';

export { type FaultPoint, type Faults, seededFaults } from './faults.ts';
export { Memory, MemoryDataset } from './memory.ts';

export type MemoryConnector = Connector<MemoryConfig, MemoryFrom, MemoryTo>;

/** Tests give the memory that they look into, and the faults that they want. */
export function createMemoryConnector(options: { memory?: Memory; faults?: Faults } = {}): MemoryConnector {
  const faults = options.faults ?? {};
  const byConnection = new Map<string, Memory>();
  return {
    name: 'memory',
    summary: 'Rows in memory, for tests and trials',
    config: memoryConfig,
    from: memoryFrom,
    to: memoryTo,
    lookup: memoryFrom,
    open(config, context) {
      // By name, so that a connection that is opened again finds what it held.
      const memory = options.memory ?? byConnection.get(context.connection) ?? new Memory();
      byConnection.set(context.connection, memory);
      fill(memory, config);
      return {
        check: async () => [],
        discover: async () => [...memory.datasets.keys()],
        openSource: async (spec) => new MemorySource(memory, spec, faults),
        openLookup: async (spec) => openLookup(memory, spec as LookupSpec<MemoryFrom>),
        openTarget: async (spec) => new MemoryTarget(memory, spec, faults, context.clock),
        openStreamWriter: async () => new MemoryStreamWriter(memory, faults),
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

export default createMemoryConnector();

function fill(memory: Memory, config: MemoryConfig): void {
  for (const [name, declared] of Object.entries(config.datasets)) {
    if (memory.datasets.has(name)) continue;
    const key = [declared.key].flat();
    const fields = Object.entries(declared.fields).map(
      ([field, type]): FieldSchema => ({ name: field, type, nullable: !key.includes(field) }),
    );
    const dataset = memory.define({ name, fields, key }, declared.watermark);
    for (const row of declared.rows) dataset.put(row as Row);
  }
}
