import { RequestRefusedError, type SchemaChange } from '@tidemark/core';
import {
  catchUp,
  createHistory,
  type HistoryLayout,
  historyColumns,
  historyOf,
  historyTriggerNames,
  historyTriggers,
} from './history-definition.ts';
import { quoted } from './identifiers.ts';
import { declaredType, type TableFacts, type TableLayout } from './layout.ts';
import { keyColumns, systemColumns } from './table.ts';

export interface PlannedHistory {
  readonly changes: readonly SchemaChange[];
  /** Absent when this sync does not ask for it. */
  readonly kept: HistoryLayout | undefined;
}

/**
 * What has to be done so that the versions of a table's rows are kept, or are not any more.
 *
 * @param kept    the history as it stands
 * @param wanted  absent: who else keeps it goes on
 */
export function planHistory(
  layout: TableLayout,
  facts: TableFacts,
  kept: TableFacts,
  wanted: boolean | undefined,
): PlannedHistory {
  const names = historyTriggerNames(layout.table);
  const found = new Map(facts.triggers.map(({ name, sql }) => [name, sql]));
  if (wanted !== true) {
    return { changes: names.some((name) => found.has(name)) ? ending(layout.table, names, wanted) : [], kept: undefined };
  }
  const { table } = layout;
  const history: HistoryLayout = { table, key: keyColumns(layout), columns: columnsOf(layout, facts, kept) };
  const strict = facts.kind === null || facts.strict;
  const typeOf = (column: string) => typeIn(facts, layout, column, strict);
  const changes: SchemaChange[] = [];
  const statements = (summary: string, ...all: string[]) => changes.push({ summary, statement: all.join(';\n') });
  if (kept.kind === null) {
    statements(`create table ${historyOf(table)} for the versions of its rows`, ...createHistory(history, typeOf, strict));
  } else changes.push(...widening(history, kept, typeOf));
  const triggers = historyTriggers(history);
  if (triggers.some(({ name, sql }) => found.get(name) !== sql)) {
    const renewed = triggers.flatMap(({ name, sql }) => [`DROP TRIGGER IF EXISTS ${quoted(name)}`, sql]);
    statements(`triggers that keep the versions of ${table}`, ...renewed);
    const wasOff = names.some((name) => !found.has(name));
    if ((facts.kind !== null || kept.kind !== null) && wasOff)
      statements(`the rows that are there begin their history in ${historyOf(table)}`, ...catchUp(history));
  }
  return { changes, kept: history };
}

function ending(table: string, triggers: readonly string[], wanted: false | undefined): SchemaChange[] {
  const history = historyOf(table);
  if (wanted === undefined) {
    const summary = `${history} goes on keeping the versions of ${table}, though this sync does not ask for it: history: false ends that`;
    return [{ summary, informational: true }];
  }
  const statement = triggers.map((name) => `DROP TRIGGER IF EXISTS ${quoted(name)}`).join(';\n');
  return [{ summary: `keep no more versions of ${table}; ${history} stays as it is`, statement }];
}

/**
 * All that the sync writes, and what a field that has disappeared, or that only others bring, has in both tables. In the order of the
 * history: syncs that share a table have to come to one and the same.
 */
function columnsOf(layout: TableLayout, facts: TableFacts, kept: TableFacts): string[] {
  const isOurs = (column: string) => historyColumns.some(({ name }) => name === column.toLowerCase());
  const scope = layout.scope === undefined ? [] : [layout.scope.column];
  const fields = layout.columns.map(({ column }) => column);
  const written = [...scope, ...fields, ...systemColumns.map(({ name }) => name)];
  const taken = written.find(isOurs);
  if (taken !== undefined) {
    throw new RequestRefusedError(`Column ${taken} of table ${layout.table}: its history has a column of that name for itself`, {
      hint: `Map the field to another column (a history has ${historyColumns.map(({ name }) => name).join(', ')}), or leave history: out.`,
    });
  }
  const standing = new Set([...written, ...facts.columns.map(({ name }) => name)]);
  const known = kept.columns.map(({ name }) => name).filter((name) => standing.has(name) && !isOurs(name));
  return [...new Set([...known, ...written])];
}

function typeIn(facts: TableFacts, layout: TableLayout, column: string, strict: boolean): string {
  const found = facts.columns.find(({ name }) => name === column);
  const type = layout.columns.find((each) => each.column === column)?.type ?? 'text';
  return found?.type ?? declaredType(type, strict);
}

function widening({ table, columns }: HistoryLayout, kept: TableFacts, typeOf: (column: string) => string): SchemaChange[] {
  const history = historyOf(table);
  const has = (column: string) => kept.columns.find(({ name }) => name === column);
  const lacking = historyColumns.find(({ name }) => has(name) === undefined);
  if (lacking !== undefined) {
    throw new RequestRefusedError(`Table ${history} is there and is no history: it has no column ${lacking.name}`, {
      hint: 'Rename that table, or let the sync write to another one: its history is called <table>_history.',
    });
  }
  return columns.flatMap((column): SchemaChange[] => {
    const type = typeOf(column);
    const found = has(column);
    if (found === undefined) {
      const statement = `ALTER TABLE ${quoted(history)} ADD COLUMN ${quoted(column)} ${type}`.trimEnd();
      return [{ summary: `add column ${column} to ${history}`, statement }];
    }
    if (found.type === type) return [];
    throw new RequestRefusedError(
      `Column ${column} is ${type || 'of no type'} in ${table} and ${found.type || 'of no type'} in ${history}`,
      {
        hint: `SQLite changes no column's type: rename ${history}, and a new one begins with the rows that stand.`,
      },
    );
  });
}
