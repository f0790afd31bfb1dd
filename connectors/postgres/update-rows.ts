import type { StreamChange } from '@tidemark/core';
import { integersBinary, textArray, timesBinary } from './array-text.ts';
import type { Attempts } from './attempts.ts';
import { CopyText } from './copy-encoder.ts';
import { copyIn, type QueryResult, query } from './driver.ts';
import { arrayType, type Layout } from './layout.ts';
import { keyTexts, type Placed, stampText, textFor } from './row-texts.ts';
import { restOfUpdates, type UpdateColumns, type UpdateShape } from './update-columns.ts';

const TABLE = '_tidemark_updates';

/** Updates as a statement's parameters: made while the server does something else. */
export interface EncodedUpdates {
  readonly statement: string;
  readonly values: readonly unknown[];
  readonly size: number;
}

/** What a stream mostly brings. */
export function onlyUpdates(changes: readonly StreamChange[]): boolean {
  for (const { op } of changes) if (op !== 'update') return false;
  return changes.length > 0;
}

export function encodeUpdates(
  updates: UpdateColumns,
  keyFields: readonly string[],
  changes: readonly StreamChange[],
): EncodedUpdates {
  const { layout } = updates;
  const size = changes.length;
  const { columns, places, masks, statement } = updates.shapeFor(changes);
  const bits = Array.from({ length: masks }, () => new Int32Array(size));
  // Most are null: what is not set has no text.
  const texts = columns.map(() => new Array<string | null>(size).fill(null));
  for (let i = 0; i < size; i++) {
    const row = changes[i]!.row!;
    for (const field in row) {
      const place = places.get(field);
      if (place === undefined) continue;
      bits[place.mask]![i]! |= place.bit;
      texts[place.index]![i] = textFor(place.column, row[field]);
    }
  }
  const values = [
    timesBinary(changes.map(({ stampMs }) => stampMs)),
    ...bits.map(integersBinary),
    ...keyArrays(layout, keyFields, changes),
    ...texts.map((column, i) => textArray(column, arrayType(columns[i]!.type))),
  ];
  return { statement, values, size };
}

/** Whether all of them changed something. If not, the places of those that did. */
export async function sendUpdates(attempts: Attempts, { statement, values, size }: EncodedUpdates): Promise<true | number[]> {
  const { rows } = await attempts.query(statement, values);
  return changedOf(rows, size);
}

/**
 * Sets the fields of some rows. One statement where all of them change, which is the rule in a stream; a second one looks after
 * those that did not.
 *
 * @param naming  there is one update, which was refused: it goes through a COPY, which tells the column
 * @returns the places of those that changed something or have no row
 */
export async function updateRows(
  attempts: Attempts,
  updates: UpdateColumns,
  keyFields: readonly string[],
  batch: readonly Placed[],
  naming: boolean,
): Promise<ReadonlyMap<number, 'updated' | 'absent'>> {
  const { layout } = updates;
  const changes = batch.map(({ change }) => change);
  const changed = naming
    ? await updateByCopy(attempts, updates.shapeOfOne(changes[0]!.row!), layout, keyFields, changes[0]!)
    : await sendUpdates(attempts, encodeUpdates(updates, keyFields, changes));
  const done = new Map<number, 'updated' | 'absent'>();
  for (const { place } of changed === true ? batch : changed.map((i) => batch[i]!)) done.set(place, 'updated');
  if (changed === true) return done;
  const rest = batch.filter(({ place }) => !done.has(place));
  for (const i of await absentOf(
    attempts,
    layout,
    keyFields,
    rest.map(({ change }) => change),
  ))
    done.set(rest[i]!.place, 'absent');
  return done;
}

/** Looks after updates that changed no value, and answers the places of those whose row is not there. */
export async function absentOf(
  attempts: Attempts,
  layout: Layout,
  keyFields: readonly string[],
  unchanged: readonly StreamChange[],
): Promise<readonly number[]> {
  const values = [timesBinary(unchanged.map(({ stampMs }) => stampMs)), ...keyArrays(layout, keyFields, unchanged)];
  const { rows } = await attempts.query(restOfUpdates(layout), values);
  return placesOf(rows[0]![0]!);
}

async function updateByCopy(
  { client }: Attempts,
  shape: UpdateShape,
  layout: Layout,
  keyFields: readonly string[],
  { key, row, stampMs }: StreamChange,
): Promise<true | number[]> {
  const bits = new Array<number>(shape.masks).fill(0);
  for (const { mask, bit } of shape.places.values()) bits[mask]! |= bit;
  const line = new CopyText();
  line.add([
    '0',
    stampText(stampMs),
    ...bits.map(String),
    ...keyTexts(key, layout.key, keyFields),
    ...shape.columns.map((column) => textFor(column, row![column.field.name])),
  ]);
  await client.query(
    `DROP TABLE IF EXISTS pg_temp.${TABLE}; CREATE TEMPORARY TABLE ${TABLE} (${shape.tableColumns.join(', ')}) ON COMMIT DROP`,
  );
  await copyIn(client, `COPY pg_temp.${TABLE} FROM STDIN`, [line.take()]);
  const { rows } = await query(client, shape.fromTable(`pg_temp.${TABLE}`));
  return changedOf(rows, 1);
}

/** The parts of the key. */
function keyArrays(layout: Layout, keyFields: readonly string[], changes: readonly StreamChange[]): (string | Buffer)[] {
  const keys = changes.map(({ key }) => keyTexts(key, layout.key, keyFields));
  return layout.key.map(({ type }, part) =>
    textArray(
      keys.map((texts) => texts[part]!),
      arrayType(type),
    ),
  );
}

function changedOf(rows: QueryResult['rows'], size: number): true | number[] {
  const [count, places] = rows[0]!;
  return Number(count) === size ? true : placesOf(places!);
}

function placesOf(list: string | null): number[] {
  return list === null ? [] : list.split(',').map(Number);
}
