import type { DeleteRule, FieldSchema, TargetScope } from '@tidemark/core';
import { comparable } from './column-types.ts';
import type { History } from './history-definition.ts';
import { quoteName, quoteText } from './identifiers.ts';

/** The source's modification stamp of a row (P3). NULL: not written by a sync, so never swept or deleted by one. */
export const STAMP = '_tidemark_stamp';
/** When a row went, for `deletes: mark`. */
export const DELETED_AT = '_tidemark_deleted_at';
/** Where a row stands in a staged load or an incoming batch. */
export const PLACE = '_tidemark_row';

export interface LayoutColumn {
  readonly field: FieldSchema;
  /** Quoted. */
  readonly name: string;
  readonly rawName: string;
  /** The column's own type with its length or precision: what arrives is typed just so, and compares as it would be stored. */
  readonly type: string;
  readonly baseType: string;
  readonly isKey: boolean;
}

/** Where the fields of a dataset lie in its table. */
export interface Layout {
  readonly schema: string;
  readonly table: string;
  /** Quoted, with the schema. */
  readonly target: string;
  /** In the order of the schema's fields. */
  readonly columns: readonly LayoutColumn[];
  readonly key: readonly LayoutColumn[];
  readonly deletes: DeleteRule;
  /** Others share the table: only rows with this value are ours. The column is the first of the table's key. */
  readonly scope: TargetScope | undefined;
  /** Whether the table has `DELETED_AT`: also after a change from `mark` to `mirror`. */
  readonly marks: boolean;
  /** Where versions of its rows are kept, as this sync wants it; null when it does not. */
  readonly history: History | null;
}

export function qualified(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** Holds the value of the scope in transactions of ours. */
const SCOPE_SETTING = 'tidemark.scope';

/**
 * For every transaction that reads or writes rows of ours. A setting and no literal, so that the statements of all who share a table
 * have one text, and a session plans them once. Where it is lacking, nothing is found and nothing can be inserted.
 */
export function scopeSettings({ scope }: Pick<Layout, 'scope'>): readonly string[] {
  return scope === undefined ? [] : [`${SCOPE_SETTING} = ${quoteText(scope.value)}`];
}

const SCOPE_SQL = `nullif(current_setting('${SCOPE_SETTING}', true), '')`;

/** What has to be true of a row of ours besides all else: ` AND t.org_id = …`. Nothing where nobody shares the table. */
export function inScope({ scope }: Pick<Layout, 'scope'>, stored: string): string {
  return scope === undefined ? '' : ` AND ${stored}.${quoteName(scope.column)} = ${SCOPE_SQL}`;
}

/** Columns of the table's key, quoted. */
export function keyNames({ scope, key }: Pick<Layout, 'scope' | 'key'>): string[] {
  return [...(scope === undefined ? [] : [quoteName(scope.column)]), ...key.map(({ name }) => name)];
}

/** The row of the target: `t.id = i.id AND …`, and it is ours. */
export function sameRow(layout: Layout, stored: string, incoming: string): string {
  return sameKey(layout, stored, incoming) + inScope(layout, stored);
}

/** `t.id = i.id AND …` */
export function sameKey(layout: Layout, a: string, b: string): string {
  return layout.key.map(({ name }) => `${a}.${name} = ${b}.${name}`).join(' AND ');
}

/** Whether values differ, or the row is marked as deleted. */
export function differs(layout: Layout, stored: string, incoming: string): string {
  const tests = layout.columns
    .filter((column) => !column.isKey)
    .map(
      ({ name, baseType }) =>
        `${comparable(`${stored}.${name}`, baseType)} IS DISTINCT FROM ${comparable(`${incoming}.${name}`, baseType)}`,
    );
  if (layout.marks) tests.push(`${stored}.${DELETED_AT} IS NOT NULL`);
  return tests.length === 0 ? 'false' : `(${tests.join(' OR ')})`;
}

/** P3: a change without a stamp cannot be called old; a row without one is not ours yet and is taken over. */
export function notOlder(stored: string, incoming: string): string {
  return `(${stored}.${STAMP} IS NULL OR ${incoming}.${STAMP} >= ${stored}.${STAMP} OR ${incoming}.${STAMP} = ${NO_STAMP_SQL})`;
}

/** `NO_STAMP` as it stands in a table. */
export const NO_STAMP_SQL = "'1970-01-01 00:00:00+00'::timestamptz";

/** A newer stamp is kept even where values are equal: otherwise a delayed change from between the two would win. */
export function wins(layout: Layout, stored: string, incoming: string): string {
  const moves = `${stored}.${STAMP} IS NULL OR ${incoming}.${STAMP} > ${stored}.${STAMP}`;
  return `${notOlder(stored, incoming)} AND (${moves} OR ${differs(layout, stored, incoming)})`;
}

/** `SET` of an update with everything that came. */
export function assignments(layout: Layout, stored: string, incoming: string): string {
  return [
    ...layout.columns.filter((column) => !column.isKey).map(({ name }) => `${name} = ${incoming}.${name}`),
    `${STAMP} = greatest(${stored}.${STAMP}, ${incoming}.${STAMP})`,
    ...(layout.marks ? [`${DELETED_AT} = NULL`] : []),
  ].join(', ');
}

export function columnList(layout: Layout, from?: string): string {
  return [...layout.columns.map(({ name }) => name), STAMP]
    .map((name) => (from === undefined ? name : `${from}.${name}`))
    .join(', ');
}

/**
 * Inserts what has no row yet. A row that another session makes at the same moment is met by `ON CONFLICT`; rows that exist are
 * left to an `UPDATE`, because an insert that turns into an update draws numbers from the table's sequences, runs insert triggers
 * and wants every NOT NULL column of the user's own.
 */
export function insertNew(layout: Layout, incoming: string, isNew: string): string {
  const [scope, value] = layout.scope === undefined ? ['', ''] : [`${quoteName(layout.scope.column)}, `, `${SCOPE_SQL}, `];
  return `INSERT INTO ${layout.target} AS t (${scope}${columnList(layout)}) SELECT ${value}${columnList(layout, 'i')} FROM ${incoming} i WHERE ${isNew}
    ON CONFLICT (${keyNames(layout).join(', ')}) DO UPDATE SET ${assignments(layout, 't', 'excluded')}
    WHERE ${wins(layout, 't', 'excluded')}`;
}

/** Without length or precision: a cast would cut a text that is too long, where an assignment refuses it. */
export function arrayType(type: string): string {
  return type.replace(/\(\d+(?:,-?\d+)?\)/, '');
}

/** Numbers and times are rounded as they will be stored, so that they compare equal afterwards. */
export function asStored({ name, type }: LayoutColumn): string {
  return /^(numeric|timestamp|time)\b.*\(/.test(type) ? `${name}::${type} AS ${name}` : name;
}
