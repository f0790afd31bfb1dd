import type { Rejection } from '@tidemark/core';
import { writingFor, writtenFor } from './capture/own-writes.ts';
import type { Database } from './database.ts';
import { rejectionOf } from './fault.ts';
import { type ReadRequest, type RowsRead, readRows } from './read-rows.ts';
import type { SqlValue } from './values.ts';

/** One write of a merge, which answers the key of the row that it touched; or why it need not be tried. */
export type SideStatement = { readonly sql: string; readonly parameters: readonly SqlValue[] } | { readonly refused: Rejection };

/** `key` is null when there was no such row. */
export type SideAnswer = { readonly key: readonly SqlValue[] | null } | { readonly refused: Rejection };

/** Reads rows under the write lock, which is then held until `finishMerge` or a rollback. */
export function beginMerge(database: Database, unit: string | null, reads: readonly ReadRequest[]): RowsRead[] {
  const writer = database.bareWriter;
  writer.exec('BEGIN IMMEDIATE');
  try {
    if (unit !== null) writingFor(writer, [unit]);
    return reads.map((read) => readRows({ reader: writer }, read));
  } catch (error) {
    database.rollback();
    throw error;
  }
}

/** Writes row by row, so that one that is refused takes no other with it (P2), and commits. */
export function finishMerge(database: Database, statements: readonly SideStatement[]): SideAnswer[] {
  const writer = database.bareWriter;
  try {
    const answers = statements.map((statement): SideAnswer => {
      if ('refused' in statement) return statement;
      writer.exec('SAVEPOINT one');
      try {
        const prepared = writer.prepare(statement.sql);
        prepared.setReturnArrays(true);
        prepared.setReadBigInts(true);
        const [key] = prepared.all(...statement.parameters) as unknown as SqlValue[][];
        // SQLite lets a primary key be null: such a row could never be found again.
        if (key?.includes(null)) {
          writer.exec('ROLLBACK TO one');
          return {
            refused: { code: 'key_missing', message: 'the table makes no key by itself: map the key, or give it a default' },
          };
        }
        return { key: key ?? null };
      } catch (error) {
        const refused = rejectionOf(error);
        if (refused === null || !writer.isTransaction) throw error;
        writer.exec('ROLLBACK TO one');
        return { refused };
      } finally {
        if (writer.isTransaction) writer.exec('RELEASE one');
      }
    });
    writtenFor(writer);
    writer.exec('COMMIT');
    return answers;
  } catch (error) {
    database.rollback();
    throw error;
  }
}
