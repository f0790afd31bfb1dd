import type { DatabaseSync } from 'node:sqlite';
import type { FieldDescribe, ObjectDescribe } from '../schema/types.ts';
import { foldedSql, quoted } from './database.ts';

/** How a value is stored. Datetimes are ISO text ending in `Z`, which sorts as time does and needs no rendering for Bulk. */
export type ColumnKind = 'id' | 'text' | 'boolean' | 'int' | 'double' | 'date' | 'datetime' | 'time';
export type Stored = string | number | null;
export type StoredRow = Record<string, Stored>;

export interface Column {
  readonly name: string;
  readonly field: FieldDescribe;
  readonly kind: ColumnKind;
  /** `"Name"` */
  readonly quotedName: string;
  /** Text is looked up through an index on its folded form. */
  readonly foldIndexed: boolean;
}

/** A field made of others: an address, a geolocation. Read only. */
export interface Compound {
  readonly name: string;
  readonly field: FieldDescribe;
  /** Keys as in the JSON object (`city`), in the order in which they are written. */
  readonly parts: readonly { key: string; column: Column }[];
}

/** One object's table: what is stored, under which names. */
export interface Table {
  readonly object: ObjectDescribe;
  readonly name: string;
  readonly quotedName: string;
  readonly columns: readonly Column[];
  readonly compounds: readonly Compound[];
  /** Has `IsDeleted`: deleting keeps the row. */
  readonly softDeletes: boolean;
  /** Columns that make up `Name` (FirstName, LastName …), when Name is such a compound. */
  readonly nameParts: readonly Column[];
  readonly references: readonly Column[];
  /** Columns whose values no two records share, `Id` aside. */
  readonly uniques: readonly Column[];
  /** Columns that a record cannot be without, once it is created. */
  readonly required: readonly Column[];
  column(name: string): Column | undefined;
  compound(name: string): Compound | undefined;
}

const kinds: Record<FieldDescribe['type'], ColumnKind | 'compound'> = {
  id: 'id',
  reference: 'id',
  string: 'text',
  phone: 'text',
  email: 'text',
  url: 'text',
  picklist: 'text',
  multipicklist: 'text',
  combobox: 'text',
  textarea: 'text',
  boolean: 'boolean',
  int: 'int',
  double: 'double',
  currency: 'double',
  percent: 'double',
  date: 'date',
  datetime: 'datetime',
  time: 'time',
  address: 'compound',
  location: 'compound',
  base64: 'text',
  encryptedstring: 'text',
  anyType: 'text',
};
const sqlTypes: Record<ColumnKind, string> = {
  id: 'TEXT',
  text: 'TEXT',
  boolean: 'INTEGER DEFAULT 0',
  int: 'INTEGER',
  double: 'REAL',
  date: 'TEXT',
  datetime: 'TEXT',
  time: 'TEXT',
};

export function kindOf(field: FieldDescribe): ColumnKind | 'compound' {
  return kinds[field.type];
}

const namePartOrder = ['firstname', 'middlename', 'lastname', 'suffix'];

export function describeTable(object: ObjectDescribe): Table {
  const columns: Column[] = [];
  for (const field of object.fields) {
    const kind = kinds[field.type];
    if (kind === 'compound') continue;
    const lookedUp = field.nameField || field.externalId || field.unique || field.idLookup;
    columns.push({
      name: field.name,
      field,
      kind,
      quotedName: quoted(field.name),
      foldIndexed: kind === 'text' && lookedUp && !field.caseSensitive,
    });
  }
  const exactly = new Map(columns.map((column) => [column.name, column]));
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  const compounds = object.fields.filter((field) => kinds[field.type] === 'compound').map((field) => compoundOf(field, columns));
  const compoundByName = new Map(compounds.map((compound) => [compound.name.toLowerCase(), compound]));
  const nameParts = columns.filter((column) => column.field.compoundFieldName === 'Name' && column.name !== 'Name');
  return {
    object,
    name: object.name,
    quotedName: quoted(object.name),
    columns,
    compounds,
    softDeletes: byName.has('isdeleted'),
    references: columns.filter(({ field }) => field.type === 'reference'),
    uniques: columns.filter(({ name, field }) => field.unique && name !== 'Id'),
    required: columns.filter(isRequired),
    nameParts: namePartOrder.flatMap((name) => nameParts.filter((column) => column.name.toLowerCase() === name)),
    // Most ask for a field as it is spelt.
    column: (name) => exactly.get(name) ?? byName.get(name.toLowerCase()),
    compound: (name) => compoundByName.get(name.toLowerCase()),
  };
}

/** What Salesforce fills in by itself is not asked for: checkboxes are never empty, numbers are given. */
const isRequired = ({ field, kind }: Column) => !field.nillable && field.createable && kind !== 'boolean' && !field.autoNumber;

function compoundOf(field: FieldDescribe, columns: readonly Column[]): Compound {
  const parts = columns
    .filter((column) => column.field.compoundFieldName === field.name)
    .map((column) => ({ key: partKey(field, column.name), column }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return { name: field.name, field, parts };
}

/** `BillingPostalCode` of `BillingAddress` is `postalCode`; `Place__Latitude__s` of `Place__c` is `latitude`. */
function partKey(compound: FieldDescribe, part: string): string {
  const prefix = compound.name.replace(/Address$|c$/, '');
  const bare = (part.startsWith(prefix) ? part.slice(prefix.length) : part).replace(/__s$/, '');
  return bare.charAt(0).toLowerCase() + bare.slice(1);
}

/** References that nobody looks up from the other side: an index on them would only cost. */
const unindexedTargets = new Set(['User', 'Group', 'RecordType', 'Profile', 'UserRole']);

/** A reference that is followed from its parent's side: by subqueries, and when the parent is deleted or merged. */
export function isReferredTo({ field }: Column): boolean {
  return field.type === 'reference' && !field.referenceTo.every((name) => unindexedTargets.has(name));
}

interface Index {
  readonly name: string;
  readonly sql: string;
  /** The column that is looked up by it. */
  readonly column: string;
}

function indexes(table: Table): Index[] {
  const found: Index[] = [];
  const add = (column: string, on: string, suffix = '', unique = '') => {
    const name = `${table.name}.${column}${suffix}`;
    found.push({ name, column, sql: `CREATE ${unique}INDEX IF NOT EXISTS ${quoted(name)} ON ${table.quotedName} (${on})` });
  };
  add('Id', '"Id"', '', 'UNIQUE ');
  if (table.column('SystemModstamp')) {
    add('SystemModstamp', table.softDeletes ? '"SystemModstamp", "Id", "IsDeleted"' : '"SystemModstamp", "Id"');
  }
  for (const column of table.columns) {
    const { field } = column;
    const expression = column.foldIndexed ? foldedSql(column.quotedName) : column.quotedName;
    // Most lookups and external ids are empty in most rows, and nobody looks up what is empty. Names are also sorted by.
    const on = field.nameField ? expression : `${expression}) WHERE (${expression} IS NOT NULL`;
    const lookedUp = column.foldIndexed || field.externalId || field.unique;
    if (column.name !== 'Id' && (lookedUp || isReferredTo(column))) add(column.name, on, column.foldIndexed ? ' folded' : '');
  }
  return found;
}

/** Whether values stay when a field of one kind becomes one of another (Salesforce Help, "Notes on Changing Custom Field Types"). */
export function keepsValues(from: ColumnKind | 'compound', to: ColumnKind | 'compound'): boolean {
  return from === to || (to === 'text' && (from === 'int' || from === 'double'));
}

/**
 * What becomes of stored values when fields go or change their type: a removed field takes them along, so that a later one
 * of the same name begins empty (Salesforce Help, "Delete Custom Fields").
 */
export function dropLostColumns(database: DatabaseSync, before: Table, after: Table): void {
  for (const { name, kind, quotedName } of before.columns) {
    const now = after.column(name);
    if (now?.kind === kind) continue;
    for (const index of indexes(before)) {
      if (index.sql.includes(quotedName)) database.exec(`DROP INDEX IF EXISTS ${quoted(index.name)}`);
    }
    const isKept = now !== undefined && keepsValues(kind, now.kind);
    const old = quoted(`${name} before`);
    if (isKept) {
      database.exec(`ALTER TABLE ${after.quotedName} RENAME COLUMN ${quotedName} TO ${old}`);
      database.exec(`ALTER TABLE ${after.quotedName} ADD COLUMN ${now.quotedName} ${sqlTypes[now.kind]}`);
      database.exec(`UPDATE ${after.quotedName} SET ${now.quotedName} = format('%.15g', ${old}) WHERE ${old} IS NOT NULL`);
    }
    database.exec(`ALTER TABLE ${after.quotedName} DROP COLUMN ${isKept ? old : quotedName}`);
  }
}

/** Creates the table, or adds the columns it lacks. `_rid` orders rows by their making and never moves. */
export function ensureTable(database: DatabaseSync, table: Table): void {
  const existing = new Set(
    database
      .prepare('SELECT name FROM pragma_table_info(?)')
      .all(table.name)
      .map((row) => String(row.name).toLowerCase()),
  );
  const definition = (column: Column) => `${column.quotedName} ${sqlTypes[column.kind]}`;
  if (existing.size === 0) {
    const columns = table.columns.map(definition).join(', ');
    database.exec(`CREATE TABLE ${table.quotedName} ("_rid" INTEGER PRIMARY KEY, ${columns}) STRICT`);
  } else {
    for (const column of table.columns) {
      if (!existing.has(column.name.toLowerCase())) {
        database.exec(`ALTER TABLE ${table.quotedName} ADD COLUMN ${definition(column)}`);
      }
    }
  }
  dropLostIndexes(database, table);
  createIndexes(database, table, ['Id']);
}

/** What a changed field left behind would keep its column from being dropped. */
function dropLostIndexes(database: DatabaseSync, table: Table): void {
  const needed = new Set(indexes(table).map(({ name }) => name));
  const existing = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL");
  for (const { name } of existing.all(table.name)) {
    if (!needed.has(String(name))) database.exec(`DROP INDEX ${quoted(String(name))}`);
  }
}

/** @param columns  By which records are looked up; all that may be, unless told. */
export function createIndexes(database: DatabaseSync, table: Table, columns?: readonly string[]): void {
  for (const { column, sql } of indexes(table)) if (columns?.includes(column) ?? true) database.exec(sql);
}

/** For a large load: an index built at once is far cheaper than one kept row by row. */
export function dropIndexes(database: DatabaseSync, table: Table): void {
  for (const { name } of indexes(table)) database.exec(`DROP INDEX IF EXISTS ${quoted(name)}`);
}
