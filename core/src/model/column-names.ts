import { createHash } from 'node:crypto';
import { RequestRefusedError } from '../base/errors.ts';

/** Columns of our own beside the user's: no field may take such a name. */
export const SYSTEM_PREFIX = '_tidemark_';

export interface ColumnNaming {
  /**
   * `lower`: ASCII capitals become small letters, as an unquoted name in SQL does, so that `AccountId` and `accountid` find the
   * column without quotes. `keep`: for databases that compare names without regard to case anyway.
   */
  readonly fold: 'lower' | 'keep';
  /** Longest name in bytes of UTF-8 (PostgreSQL: 63). */
  readonly bytesMax: number;
  /** Names, folded, that the database keeps for itself, e.g. `ctid`. */
  readonly reserved?: readonly string[];
  /** Columns that the table has. */
  readonly existing?: readonly string[];
  /** Where fields went before: such a field keeps its column as long as that exists. */
  readonly known?: ReadonlyMap<string, string>;
}

/**
 * The column of each field.
 *
 * 1. A field keeps the column in which it was before.
 * 2. A name that the user wrote in a mapping (`spelled`) is taken as it is, and an existing column of exactly that name is the
 *    field's; otherwise one that differs in case only.
 * 3. Otherwise the folded name. Where several fields would meet in one column, or the name is too long or reserved, each of
 *    them gets `_` and six hex digits of a hash of its full name. *All* that meet get it, so that the result does not depend on
 *    the order of fields.
 *
 * @throws {RequestRefusedError} a name that no column can have: empty, with a NUL, half a surrogate pair, or one of ours.
 */
export function columnNames(
  fields: readonly { readonly name: string; readonly spelled?: boolean }[],
  naming: ColumnNaming,
): Map<string, string> {
  const existing = new Set(naming.existing ?? []);
  const columns = new Map<string, string>();
  const taken = new Set<string>();
  // Databases that keep the spelling compare without regard to case: `Name` and `name` are one column there.
  const identity = (column: string) => (naming.fold === 'keep' ? foldAscii(column) : column);
  const take = (field: string, column: string) => {
    if (columns.has(field) || taken.has(identity(column))) return;
    columns.set(field, column);
    taken.add(identity(column));
  };

  for (const field of fields) checkName(field, naming);
  for (const { name } of fields) {
    const column = naming.known?.get(name);
    if (column !== undefined && existing.has(column)) take(name, column);
  }
  for (const field of fields) {
    if (isReserved(field.name, naming)) continue;
    if (existing.has(field.name) || field.spelled) take(field.name, field.name);
  }

  const open = fields.filter((field) => !columns.has(field.name));
  const wishes = new Map<string, string[]>();
  for (const { name } of open) {
    const wish = foldAscii(name);
    const meeting = wishes.get(wish);
    if (meeting === undefined) wishes.set(wish, [name]);
    else if (!meeting.includes(name)) meeting.push(name);
  }
  const sameButForCase = Map.groupBy(existing, foldAscii);
  for (const [wish, names] of wishes) {
    const name = names[0]!;
    const twins = (sameButForCase.get(wish) ?? []).filter((column) => !taken.has(identity(column)));
    if (names.length > 1 || isReserved(name, naming)) continue;
    if (twins.length === 1) take(name, twins[0]!);
    else if (twins.length === 0 && Buffer.byteLength(name) <= naming.bytesMax) take(name, naming.fold === 'lower' ? wish : name);
  }
  for (const { name } of open) {
    for (let digits = 6; !columns.has(name); digits += 2) {
      take(name, suffixed(naming.fold === 'lower' ? foldAscii(name) : name, name, naming.bytesMax, digits));
    }
  }
  return columns;
}

/** `name`, or when it is too long its beginning with a hash of the whole. For names of indexes and tables, too. */
export function shortened(name: string, bytesMax: number): string {
  return Buffer.byteLength(name) <= bytesMax ? name : suffixed(name, name, bytesMax, 6);
}

function suffixed(shown: string, full: string, bytesMax: number, digits: number): string {
  const hash = createHash('sha256').update(full).digest('hex').slice(0, digits);
  return `${cutToBytes(withoutSystemPrefix(shown), bytesMax - digits - 1)}_${hash}`;
}

/** The longest beginning of whole characters that fits. */
function cutToBytes(text: string, bytesMax: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesMax) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function withoutSystemPrefix(name: string): string {
  return foldAscii(name).startsWith(SYSTEM_PREFIX) ? name.slice(1) : name;
}

/** As SQL folds unquoted names: ASCII only, so that no language's rules for capitals come into play. */
function foldAscii(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function isReserved(name: string, naming: ColumnNaming): boolean {
  const folded = foldAscii(name);
  return folded.startsWith(SYSTEM_PREFIX) || (naming.reserved?.includes(folded) ?? false);
}

function checkName(field: { readonly name: string; readonly spelled?: boolean }, naming: ColumnNaming): void {
  const { name } = field;
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
  if (name === '' || name.includes('\0') || !name.isWellFormed()) {
    throw new RequestRefusedError(`No column can be called ${shown}`, { hint: 'Map the field to another name.' });
  }
  if (!field.spelled) return;
  if (isReserved(name, naming)) {
    throw new RequestRefusedError(`The column name ${shown} is reserved`, { hint: 'Choose another name in the mapping.' });
  }
  if (Buffer.byteLength(name) > naming.bytesMax) {
    throw new RequestRefusedError(`The column name ${shown} is longer than ${naming.bytesMax} bytes`, {
      hint: 'Choose a shorter name in the mapping.',
    });
  }
}
