import { type Block, blockOfRows, type DatasetSchema, type Row } from '@tidemark/core';
import sqlite from './connector.ts';
import { contextIn } from './fixture.ts';

// A process that works until it is killed: `node kill-fixture.ts <file> load|write|stream`. Prints a line when it has begun to work.

const [path, work] = process.argv.slice(2) as [string, 'load' | 'write' | 'stream'];
const never = new AbortController().signal;

export const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
  ],
};
export const pages = 30;
export const rowsInAPage = 2000;
export const rowsInABatch = 200;

/** Keys in an order that touches the whole index. Each page holds one key of the page before it, with a newer name. */
export function pageOf(page: number): Row[] {
  const own = Array.from({ length: rowsInAPage - 1 }, (_, r) => ({
    Id: `k${(r * 7919) % rowsInAPage}-${page}`,
    Name: `page ${page}`,
  }));
  return [...own, { Id: `k0-${Math.max(0, page - 1)}`, Name: `page ${page}` }];
}

export function blocksOfPage(page: number): Block[] {
  const rows = pageOf(page);
  return [0, 1, 2, 3].map((quarter) => {
    const part = rows.slice((quarter * rowsInAPage) / 4, ((quarter + 1) * rowsInAPage) / 4);
    const block = blockOfRows(part, schema.fields);
    return { ...block, columns: [...block.columns, { kind: 'constant', value: '2026-01-01T00:00:00.000Z' }] };
  });
}

if (import.meta.main) {
  const connection = sqlite.open({ path, tablePrefix: '', busyTimeoutMs: 5000 }, contextIn('/'));
  const target = await connection.openTarget!(
    { to: { table: 'contacts' }, unit: 'sync', schema, deletes: 'mirror', history: true },
    never,
  );
  await target.prepare();
  const { epoch, checkpoint } = await target.checkpoints!.acquire('sync');
  process.stdout.write('working\n');
  if (work === 'load') {
    await using load = await target.beginLoad!({ epoch, loadId: 'load', stampColumn: schema.fields.length }, never);
    async function* blocks(page: number) {
      yield* blocksOfPage(page);
    }
    for (let page = Number(load.position ?? -1) + 1; page < pages; page++) {
      await load.writePage(blocks(page), String(page), async () => {}, never);
    }
    await load.finish({ gone: [], checkpoint: 'loaded', signal: never });
  } else if (work === 'stream') {
    await using writer = await connection.openStreamWriter!([target]);
    const transaction = await writer.begin(never);
    const rows = Array.from({ length: rowsInABatch }, (_, r) => ({ Id: `${r}`, Name: 'batch 0' }));
    await transaction.apply(
      target,
      rows.map((row) => ({ op: 'upsert', key: row.Id, row, stampMs: 1000 })),
    );
    await transaction.commit('sync', epoch, checkpoint ?? '0');
    // Every batch sets the same rows, in two parts.
    for (let batch = Number(checkpoint ?? 0) + 1; ; batch++) {
      const open = await writer.begin(never);
      for (const part of [rows.slice(0, rowsInABatch / 2), rows.slice(rowsInABatch / 2)]) {
        const row = { Name: `batch ${batch}` };
        await open.apply(
          target,
          part.map(({ Id }) => ({ op: 'update', key: Id, row, stampMs: 1000 + batch })),
        );
      }
      await open.commit('sync', epoch, String(batch));
    }
  } else {
    for (let batch = Number(checkpoint ?? 0) + 1; ; batch++) {
      const changes = Array.from({ length: rowsInABatch }, (_, r) => {
        const row = { Id: `${batch}-${r}`, Name: `batch ${batch}` };
        return { op: 'upsert' as const, key: row.Id, row, stampMs: 1000 };
      });
      await target.write(changes, { epoch, settle: async () => String(batch) }, never);
    }
  }
  await connection[Symbol.asyncDispose]();
}
