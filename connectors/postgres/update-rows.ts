import type { Row } from '@tidemark/core';
import { arrayText, numbersText } from './array-text.ts';
import type { Attempts } from './attempts.ts';
import { encodeCopyRows } from './copy-encoder.ts';
import { copyIn, query } from './driver.ts';
import type { Layout } from './layout.ts';
import { keyTexts, type Placed, stampText, textFor } from './row-texts.ts';
import { restOfUpdates, type UpdateColumns, type UpdateShape } from './update-columns.ts';

const TABLE = '_tidemark_updates';

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
  const done = new Map<number, 'updated' | 'absent'>();
  const changed = naming
    ? await updateByCopy(attempts, updates.shapeOfOne(rowOf(batch[0]!)), layout, keyFields, batch[0]!)
    : await updateByArrays(attempts, updates.shapeFor(batch.map(rowOf)), layout, keyFields, batch);
  for (const place of changed) done.set(place, 'updated');
  if (done.size === batch.length) return done;
  const rest = batch.filter(({ place }) => !done.has(place));
  const { rows } = await attempts.query(restOfUpdates(layout), headArrays(layout, keyFields, rest));
  for (const place of placesOf(rows)) done.set(place, 'absent');
  return done;
}

async function updateByArrays(
  attempts: Attempts,
  shape: UpdateShape,
  layout: Layout,
  keyFields: readonly string[],
  batch: readonly Placed[],
): Promise<readonly number[]> {
  const { columns, places, masks } = shape;
  const bits = Array.from({ length: masks }, () => new Array<number>(batch.length).fill(0));
  // Most are null: what is not set has no text.
  const texts = columns.map(() => new Array<string | null>(batch.length).fill(null));
  for (let i = 0; i < batch.length; i++) {
    const row = rowOf(batch[i]!);
    for (const field in row) {
      const place = places.get(field);
      if (place === undefined) continue;
      bits[place.mask]![i]! |= place.bit;
      texts[place.index]![i] = textFor(place.column, row[field]);
    }
  }
  const [rowPlaces, stamps, ...keys] = headArrays(layout, keyFields, batch);
  const values = [rowPlaces, stamps, ...bits.map(numbersText), ...keys, ...texts.map(arrayText)];
  const { rows } = await attempts.query(shape.statement, values);
  return placesOf(rows);
}

async function updateByCopy(
  { client }: Attempts,
  shape: UpdateShape,
  layout: Layout,
  keyFields: readonly string[],
  { change, place }: Placed,
): Promise<readonly number[]> {
  const row = change.row!;
  const bits = new Array<number>(shape.masks).fill(0);
  for (const { mask, bit } of shape.places.values()) bits[mask]! |= bit;
  const line = [
    String(place),
    stampText(change.stampMs),
    ...bits.map(String),
    ...keyTexts(change.key, layout.key, keyFields),
    ...shape.columns.map((column) => textFor(column, row[column.field.name])),
  ];
  await client.query(
    `DROP TABLE IF EXISTS pg_temp.${TABLE}; CREATE TEMPORARY TABLE ${TABLE} (${shape.tableColumns.join(', ')}) ON COMMIT DROP`,
  );
  await copyIn(client, `COPY pg_temp.${TABLE} FROM STDIN`, encodeCopyRows([line]));
  const { rows } = await query(client, shape.fromTable(`pg_temp.${TABLE}`));
  return placesOf(rows);
}

function rowOf({ change }: Placed): Row {
  return change.row!;
}

/** Places, stamps, and the parts of the key. */
function headArrays(layout: Layout, keyFields: readonly string[], batch: readonly Placed[]): string[] {
  const keys = batch.map(({ change }) => keyTexts(change.key, layout.key, keyFields));
  return [
    numbersText(batch.map(({ place }) => place)),
    arrayText(stampTexts(batch)),
    ...layout.key.map((_, part) => arrayText(keys.map((texts) => texts[part]!))),
  ];
}

/** Changes of a stream have few stamps: they count whole seconds. */
function stampTexts(batch: readonly Placed[]): string[] {
  let last = Number.NaN;
  let text = '';
  return batch.map(({ change: { stampMs } }) => {
    if (stampMs !== last) {
      last = stampMs;
      text = stampText(stampMs);
    }
    return text;
  });
}

function placesOf(rows: readonly (readonly (string | null)[])[]): readonly number[] {
  const list = rows[0]?.[0] ?? null;
  return list === null ? [] : list.split(',').map(Number);
}
