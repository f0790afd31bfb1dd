import type { AnyConnector } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import type { SideRecord, Value, Values } from './fields.ts';

/** One write of a row, by whomever. */
export interface RowChange {
  readonly key: string;
  readonly before: SideRecord | null;
  readonly after: SideRecord | null;
  readonly ours: boolean;
}

/** What a program of the application does with a row. */
export type RowEdit =
  | { readonly kind: 'insert'; readonly values: Values }
  | { readonly kind: 'update'; readonly key: string; readonly values: Values }
  /** Names its partner in the org. */
  | { readonly kind: 'link'; readonly key: string; readonly id: string }
  | { readonly kind: 'delete'; readonly key: string };

/** The database of an application: what its own programs do there, and a record of who wrote what. */
export interface App {
  /** Of the configuration. */
  readonly connection: object;
  /**
   * The connector, for one life of the engine.
   * @param delay  how long a call takes each way, where that can be chosen
   * @param beforeMerge  called right before rows are read for good, under their lock
   */
  connector(scheduler: Scheduler, life: Life, delay: () => number, beforeMerge: () => Promise<void>): AnyConnector;
  /** Once the table is captured. @param spells  the application writes sites in capitals, whoever sets them */
  watch(spells: boolean): Promise<void>;
  /** What was committed since somebody asked last, in its order. */
  changes(): RowChange[];
  read(): Promise<ReadonlyMap<string, SideRecord>>;
  keys(): string[];
  /** A transaction of the application. Whether it could be begun: the engine may hold locks. */
  begin(edits: readonly RowEdit[]): Promise<boolean>;
  commit(): Promise<void>;
  close(): Promise<void>;
}

/** An edit as a statement, with `?` for each value. */
export function statementOf(edit: RowEdit): { readonly sql: string; readonly values: readonly Value[] } {
  switch (edit.kind) {
    case 'insert': {
      const names = Object.keys(edit.values);
      return {
        sql: `INSERT INTO customers (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
        values: Object.values(edit.values),
      };
    }
    case 'update': {
      const set = Object.keys(edit.values).map((name) => `${name} = ?`);
      return {
        sql: `UPDATE customers SET ${set.join(', ')} WHERE id = ?`,
        values: [...Object.values(edit.values), Number(edit.key)],
      };
    }
    case 'link':
      return { sql: 'UPDATE customers SET crm_id = ? WHERE id = ?', values: [edit.id, Number(edit.key)] };
    case 'delete':
      return { sql: 'DELETE FROM customers WHERE id = ?', values: [Number(edit.key)] };
  }
}

export const columns = ['name', 'phone', 'revenue', 'notes', 'site', 'crm_id'] as const;

/** A row of the table, by its columns. */
export type Row = Values & { readonly crm_id: string | null };

export function recordOf({ crm_id, ...values }: Row): SideRecord {
  return { values, partner: crm_id };
}
