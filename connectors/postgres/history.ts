import { RequestRefusedError, type SchemaChange } from '@tidemark/core';
import { type ExistingTable, readTable } from './catalog.ts';
import { type Client, query } from './driver.ts';
import { HISTORY_COLUMNS, History, type HistoryColumn, historyNames, historyTriggers } from './history-definition.ts';
import { quoteName } from './identifiers.ts';
import { DELETED_AT, keyNames, type Layout, STAMP } from './layout.ts';

const STAMP_TYPE = 'timestamp with time zone';

export interface PlannedHistory {
  readonly changes: readonly SchemaChange[];
  /** Whether something of its own is made in the schema for it: the table for the versions, or the routine. */
  readonly makes: boolean;
  /** Whether triggers are made, and the rows that are there begin their history. */
  readonly begins: boolean;
  /** Null when this sync does not ask for it. */
  readonly kept: History | null;
}

/**
 * What has to be done so that the versions of a table's rows are kept, or are not any more. Reads the catalog only.
 *
 * @param existing  the table as it stands; null when it has still to be made
 * @param wanted    absent: who else keeps them goes on
 */
export async function planHistory(
  client: Client,
  layout: Layout,
  existing: ExistingTable | null,
  wanted: boolean | undefined,
): Promise<PlannedHistory> {
  const found = await readState(client, layout);
  if (wanted !== true) return { changes: ending(layout, found, wanted), makes: false, begins: false, kept: null };
  const names = historyNames(layout.schema, layout.table);
  const table = await readTable(client, layout.schema, names.rawTable);
  const history = new History(layout, keyNames(layout), keptColumns(layout, existing, table));
  const changes: SchemaChange[] = [];
  if (table === null) {
    changes.push({
      summary: `create table ${layout.schema}.${names.rawTable} for the versions of its rows`,
      statement: history.create(),
    });
  } else changes.push(...widening(layout, history, table));
  const routine = history.routine();
  const isOutdated = found.body?.trim() !== routine.body;
  if (isOutdated) {
    changes.push({
      summary: `function ${names.rawRoutine}: keeps the versions of ${layout.table}`,
      statement: routine.statement,
    });
  }
  const begins = !historyTriggers.every((name) => found.triggers.includes(name));
  if (begins) {
    changes.push({ summary: `triggers that keep the versions of ${layout.table}`, statement: history.createTriggers() });
    if (existing !== null || table !== null) {
      changes.push({ summary: `the rows that are there begin their history in ${names.rawTable}`, statement: history.catchUp() });
    }
  }
  return { changes, makes: table === null || isOutdated, begins, kept: history };
}

interface HistoryState {
  /** Triggers of ours that fire. */
  readonly triggers: readonly string[];
  /** Of the routine behind them. */
  readonly body: string | null;
}

async function readState(client: Client, { target, schema, table }: Layout): Promise<HistoryState> {
  const { rows } = await query(
    client,
    `SELECT (SELECT json_agg(tgname) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = ANY ($2::text[]) AND tgenabled <> 'D'),
            (SELECT prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $3 AND p.proname = $4)`,
    [target, historyTriggers, schema, historyNames(schema, table).rawRoutine],
  );
  const [triggers, body] = rows[0]!;
  return { triggers: triggers == null ? [] : (JSON.parse(triggers) as string[]), body: body ?? null };
}

function ending(layout: Layout, { triggers }: HistoryState, wanted: false | undefined): SchemaChange[] {
  if (triggers.length === 0) return [];
  const { rawTable } = historyNames(layout.schema, layout.table);
  if (wanted === undefined) {
    const summary = `${rawTable} goes on keeping the versions of ${layout.table}, though this sync does not ask for it: history: false ends that`;
    return [{ summary, informational: true }];
  }
  const statement = new History(layout, keyNames(layout), []).drop();
  return [{ summary: `keep no more versions of ${layout.table}; ${rawTable} stays as it is`, statement }];
}

/**
 * All that the sync writes, and what a field that has disappeared, or that only others bring, has in both tables. In the order of the
 * history: syncs that share a table have to come to one and the same.
 */
function keptColumns(layout: Layout, existing: ExistingTable | null, history: ExistingTable | null): HistoryColumn[] {
  const columns = new Map<string, HistoryColumn>();
  const add = (rawName: string, type: string, baseType = type) =>
    columns.set(rawName, { rawName, name: quoteName(rawName), type, baseType });
  const scope = layout.scope?.column;
  if (scope !== undefined) add(scope, existing?.columns.get(scope)?.type ?? 'text');
  for (const { rawName, type, baseType } of layout.columns) add(rawName, type, baseType);
  add(STAMP, STAMP_TYPE);
  if (layout.marks) add(DELETED_AT, STAMP_TYPE);
  const taken = HISTORY_COLUMNS.find((name) => columns.has(name));
  if (taken !== undefined) {
    throw new RequestRefusedError(
      `Table ${layout.schema}.${layout.table}, column ${JSON.stringify(taken)}: its history has a column of that name for itself`,
      { hint: `Map the field to another column (a history has ${HISTORY_COLUMNS.join(', ')}), or leave history: out.` },
    );
  }
  for (const name of history?.columns.keys() ?? []) {
    const left = existing?.columns.get(name);
    const isOwn = HISTORY_COLUMNS.some((own) => own === name);
    if (left !== undefined && !isOwn)
      add(name, columns.get(name)?.type ?? left.type, left.kind === 'd' ? left.type : left.baseType);
  }
  const places = new Map([...(history?.columns.keys() ?? [])].map((name, place) => [name, place]));
  const placeOf = ({ rawName }: HistoryColumn) => places.get(rawName) ?? places.size;
  return [...columns.values()].sort((a, b) => placeOf(a) - placeOf(b));
}

function widening(layout: Layout, history: History, table: ExistingTable): SchemaChange[] {
  const { rawTable } = historyNames(layout.schema, layout.table);
  const lacking = HISTORY_COLUMNS.find((name) => !table.columns.has(name));
  if (lacking !== undefined) {
    throw new RequestRefusedError(`Table ${layout.schema}.${rawTable} is there and is no history: it has no column ${lacking}`, {
      hint: `Rename that table, or let the sync write to another one: its history is called <table>_history.`,
    });
  }
  return history.columns.flatMap(({ rawName, name, type }): SchemaChange[] => {
    const there = table.columns.get(rawName);
    if (there?.type === type) return [];
    return there === undefined
      ? [
          {
            summary: `add column ${rawName} to ${rawTable}`,
            statement: `ALTER TABLE ${history.table} ADD COLUMN ${name} ${type}`,
          },
        ]
      : [
          {
            summary: `${rawName} of ${rawTable} becomes ${type}, as it is in ${layout.table}`,
            statement: `ALTER TABLE ${history.table} ALTER COLUMN ${name} TYPE ${type} USING ${name}::${type}`,
          },
        ];
  });
}
