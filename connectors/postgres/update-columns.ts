import type { Row } from '@tidemark/core';
import { comparable } from './column-types.ts';
import {
  arrayType,
  asStored,
  DELETED_AT,
  inScope,
  type Layout,
  type LayoutColumn,
  NO_STAMP_SQL,
  notOlder,
  PLACE,
  STAMP,
  sameKey,
} from './layout.ts';

/** Columns that one `integer` tells of, bit by bit. */
const BITS = 31;

/** Which columns of its row an update sets: null is a value, too. */
const SET = '_tidemark_set';

/**
 * The statement that sets, in each of many rows, the fields that its update holds. Updates of all shapes are one statement: a value
 * for each column that any of them has set so far, and bits that tell which of them count. So a table has one statement that grows
 * now and then, and the server plans it once.
 */
export class UpdateColumns {
  readonly layout: Layout;
  readonly #byField: ReadonlyMap<string, LayoutColumn>;
  readonly #known = new Set<LayoutColumn>();
  #shape: UpdateShape;

  constructor(layout: Layout) {
    this.layout = layout;
    this.#byField = new Map(layout.columns.filter(({ isKey }) => !isKey).map((column) => [column.field.name, column]));
    this.#shape = shapeOf(layout, []);
  }

  /** What serves these updates. A field that has no column is left out, as from a whole row. */
  shapeFor(updates: readonly { readonly row: Row | null }[]): UpdateShape {
    const known = this.#known.size;
    for (const { row } of updates) {
      for (const field in row) {
        if (this.#shape.places.has(field)) continue;
        const column = this.#byField.get(field);
        if (column !== undefined) this.#known.add(column);
      }
    }
    if (this.#known.size > known) {
      this.#shape = shapeOf(
        this.layout,
        this.layout.columns.filter((column) => this.#known.has(column)),
      );
    }
    return this.#shape;
  }

  /** What serves this row alone. */
  shapeOfOne(row: Row): UpdateShape {
    return shapeOf(
      this.layout,
      this.layout.columns.filter((column) => !column.isKey && Object.hasOwn(row, column.field.name)),
    );
  }
}

/** Where the value of a column goes, and the bit that says that it counts. */
export interface ColumnPlace {
  readonly index: number;
  readonly column: LayoutColumn;
  readonly mask: number;
  readonly bit: number;
}

export interface UpdateShape {
  readonly columns: readonly LayoutColumn[];
  /** By field. */
  readonly places: ReadonlyMap<string, ColumnPlace>;
  /** How many integers of bits. */
  readonly masks: number;
  /**
   * With its rows as arrays: stamps, bits, the parts of the key, the columns. Answers how many rows changed, and which ones (counted
   * from 0) unless all did.
   */
  readonly statement: string;
  /** With its rows in a table of these columns. Answers alike. */
  readonly fromTable: (table: string) => string;
  readonly tableColumns: readonly string[];
}

function shapeOf(layout: Layout, columns: readonly LayoutColumn[]): UpdateShape {
  const masks = Array.from({ length: Math.ceil(columns.length / BITS) }, (_, i) => `${SET}${i}`);
  const isSet = columns.map((_, i) => `i.${SET}${Math.floor(i / BITS)} & ${2 ** (i % BITS)} <> 0`);
  const names = [STAMP, ...masks, ...layout.key.map(({ name }) => name), ...columns.map(({ name }) => name), PLACE];
  const types = ['timestamptz', ...masks.map(() => 'integer'), ...[...layout.key, ...columns].map(({ type }) => arrayType(type))];
  // A subquery's value is not known to the planner, who would otherwise plan each size of a batch for itself, and a large one by
  // reading the whole table.
  const arrays = types.map((type, i) => `(SELECT $${i + 1}::${type}[])`);
  const typed = [`${PLACE} - 1 AS ${PLACE}`, STAMP, ...masks, ...[...layout.key, ...columns].map(asStored)];
  const assignments = [
    ...columns.map(({ name }, i) => `${name} = CASE WHEN ${isSet[i]} THEN i.${name} ELSE t.${name} END`),
    `${STAMP} = greatest(t.${STAMP}, i.${STAMP})`,
  ];
  const differs = columns.map(
    ({ name, baseType }, i) =>
      `${isSet[i]} AND ${comparable(`t.${name}`, baseType)} IS DISTINCT FROM ${comparable(`i.${name}`, baseType)}`,
  );
  const update = `UPDATE ${layout.target} t SET ${assignments.join(', ')} FROM incoming i
    WHERE ${sameKey(layout, 't', 'i')} AND ${stands(layout)} AND ${notOlder('t', 'i')} AND (${differs.join(' OR ') || 'false'})
    RETURNING i.${PLACE}`;
  const statement = (incoming: string, size: string) =>
    // Which ones is worked out only where somebody has to know.
    `WITH incoming AS ${incoming}, changed AS (${update})
    SELECT count(*), CASE WHEN count(*) < ${size} THEN (SELECT string_agg(${PLACE}::text, ',') FROM changed) END FROM changed`;
  return {
    columns,
    places: new Map(
      columns.map((column, index) => [
        column.field.name,
        { index, column, mask: Math.floor(index / BITS), bit: 1 << (index % BITS) },
      ]),
    ),
    masks: masks.length,
    // Measured: written down first, the rows cost a tenth more.
    statement: statement(
      `NOT MATERIALIZED (SELECT ${typed.join(', ')} FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS given (${names.join(', ')}))`,
      'cardinality($1)',
    ),
    fromTable: (table) => statement(`NOT MATERIALIZED (SELECT * FROM ${table})`, `(SELECT count(*) FROM ${table})`),
    tableColumns: [
      `${PLACE} integer`,
      `${STAMP} timestamptz`,
      ...masks.map((mask) => `${mask} integer`),
      ...[...layout.key, ...columns].map(({ name, type }) => `${name} ${type}`),
    ],
  };
}

/** A row of ours that is there. What no sync has written is taken over whole, or not at all. */
function stands(layout: Layout): string {
  return `t.${STAMP} IS NOT NULL${layout.marks ? ` AND t.${DELETED_AT} IS NULL` : ''}${inScope(layout, 't')}`;
}

/**
 * Of updates that changed no value: keeps the newer stamp, otherwise a delayed change from between the two would win; answers the
 * places (from 0) of those whose row is not there. Parameters: stamps, the parts of the key.
 */
export function restOfUpdates(layout: Layout): string {
  const arrays = ['timestamptz', ...layout.key.map(({ type }) => arrayType(type))].map(
    (type, i) => `(SELECT $${i + 1}::${type}[])`,
  );
  const names = [STAMP, ...layout.key.map(({ name }) => name), PLACE];
  return `WITH incoming AS MATERIALIZED (
      SELECT ${[`${PLACE} - 1 AS ${PLACE}`, STAMP, ...layout.key.map(asStored)].join(', ')} FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS given (${names.join(', ')})
    ), moved AS (
      UPDATE ${layout.target} t SET ${STAMP} = i.${STAMP} FROM incoming i
      WHERE ${sameKey(layout, 't', 'i')} AND ${stands(layout)} AND i.${STAMP} > t.${STAMP} AND i.${STAMP} <> ${NO_STAMP_SQL}
    )
    SELECT string_agg(i.${PLACE}::text, ',') FROM incoming i
    WHERE NOT EXISTS (SELECT FROM ${layout.target} t WHERE ${sameKey(layout, 't', 'i')} AND ${stands(layout)})`;
}
