import { quoted } from '../org/database.ts';
import type { Store } from '../org/store.ts';
import type { Column, ColumnKind, Compound, Table } from '../org/table.ts';
import { SalesforceError } from '../org/types.ts';
import { calculatedSql } from './calculated.ts';
import { malformed, noSuchColumn, noSuchRelationship, noSuchType } from './errors.ts';

/** The tables of one statement: the queried object and the parents that its paths lead to, each joined once. */
export interface Scope {
  readonly store: Store;
  readonly soql: string;
  readonly root: Node;
  readonly includeDeleted: boolean;
  /** ` LEFT JOIN …` for everything that paths have asked for so far. */
  joins(): string;
  /** Joins another record, unless this very join is there already; gives its alias. @param on  The id to be joined. */
  join(table: Table, on: string): string;
}

/** A record on the way: one table, or several of which one matches (an owner is a User or a Group). */
export interface Node {
  readonly tables: readonly { table: Table; alias: string }[];
  readonly polymorphic: boolean;
  /** `Account.Owner`, `''` for the queried object. */
  readonly path: string;
  readonly parents: Map<string, Node>;
}

/** Where a path ends. */
export type Resolved =
  | { kind: 'column'; sql: string; type: ColumnKind; column: Column; node: Node; name: string }
  | { kind: 'compound'; compound: Compound; node: Node; name: string };

/** Relationships upward in one path. SOQL Reference, "Understanding Relationship Query Limitations". */
const levelsMax = 5;
/** Relationships upward in one query. */
const relationshipsMax = 55;

let aliases = 0;

export function createScope(store: Store, table: Table, soql: string, includeDeleted: boolean): Scope {
  store.index(table);
  // Nested statements must not shadow each other's tables; numbers only need to differ within one statement.
  const alias = `t${++aliases}`;
  const root: Node = { tables: [{ table, alias }], polymorphic: false, path: '', parents: new Map() };
  const clauses: string[] = [];
  const joined = new Map<string, string>();
  const join = (target: Table, on: string) => {
    const key = `${target.name} ${on}`;
    const known = joined.get(key);
    if (known !== undefined) return known;
    const fresh = `t${++aliases}`;
    joined.set(key, fresh);
    clauses.push(` LEFT JOIN ${target.quotedName} ${fresh} ON ${fresh}."Id" = ${on}`);
    return fresh;
  };
  return Object.assign({ store, soql, root, includeDeleted, joins: () => clauses.join(''), join }, { clauses });
}

/** @throws {SalesforceError} `INVALID_TYPE` */
export function requireQueryable(store: Store, name: string, soql: string): Table {
  const table = store.table(name);
  if (!table) throw noSuchType(soql, name);
  if (table.object.queryable) return table;
  throw new SalesforceError('INVALID_TYPE_FOR_OPERATION', `entity type ${table.name} does not support query`);
}

/**
 * Follows `Account.Owner.Name` and joins what lies on the way.
 * @param alias  The object's alias in the query, which may open a path, as its name may.
 * @throws {SalesforceError} `INVALID_FIELD`
 */
export function resolvePath(scope: Scope, path: readonly string[], alias: string | undefined): Resolved {
  let node = scope.root;
  let steps = path;
  if (path.length > 1 && isQualifier(scope, path[0]!, alias)) steps = path.slice(1);
  if (steps.length - 1 > levelsMax) {
    throw noSuchRelationship(scope.soql, path.join('.'), steps[levelsMax]!);
  }
  for (const step of steps.slice(0, -1)) node = parentOf(scope, node, step, path.join('.'));
  return resolveField(scope, node, steps.at(-1)!, path.join('.'));
}

function isQualifier(scope: Scope, first: string, alias: string | undefined): boolean {
  const name = first.toLowerCase();
  if (alias !== undefined && name === alias.toLowerCase()) return true;
  const table = scope.root.tables[0]!.table;
  return name === table.name.toLowerCase() && relationshipColumn(table, first) === undefined;
}

function relationshipColumn(table: Table, relationship: string): Column | undefined {
  const name = relationship.toLowerCase();
  return table.columns.find((column) => column.field.relationshipName?.toLowerCase() === name);
}

/** The node that a relationship leads to, joined at its first mention. */
export function parentOf(scope: Scope, node: Node, relationship: string, token: string): Node {
  const known = node.parents.get(relationship.toLowerCase());
  if (known) return known;
  const from = node.tables.length === 1 ? node.tables[0] : undefined;
  const column = from && relationshipColumn(from.table, relationship);
  if (!column) throw noSuchRelationship(scope.soql, token, relationship);
  const tables = column.field.referenceTo.flatMap((name) => {
    const table = scope.store.table(name);
    return table ? [{ table, alias: `t${++aliases}` }] : [];
  });
  if (tables.length === 0) throw noSuchRelationship(scope.soql, token, relationship);
  if (countOf(scope.root) >= relationshipsMax)
    throw malformed(`a query has at most ${relationshipsMax} relationships to parents`);
  for (const { table, alias } of tables) {
    scope.store.index(table);
    const alive = table.softDeletes && !scope.includeDeleted ? ` AND ${alias}."IsDeleted" = 0` : '';
    const join = ` LEFT JOIN ${table.quotedName} ${alias} ON ${alias}."Id" = ${from!.alias}.${column.quotedName}${alive}`;
    (scope as Scope & { clauses: string[] }).clauses.push(join);
  }
  const parent: Node = {
    tables,
    // Told by the field and not by how many of its targets this user may see.
    polymorphic: column.field.polymorphicForeignKey || column.field.referenceTo.length > 1,
    path: node.path === '' ? column.field.relationshipName! : `${node.path}.${column.field.relationshipName}`,
    parents: new Map(),
  };
  node.parents.set(relationship.toLowerCase(), parent);
  return parent;
}

/** The relationships that lead up from a record, so far. */
const countOf = ({ parents }: Node): number => [...parents.values()].reduce((sum, parent) => sum + 1 + countOf(parent), 0);

export function resolveField(scope: Scope, node: Node, name: string, token: string): Resolved {
  const found = node.tables.flatMap(({ table, alias }) => {
    const column = table.column(name);
    if (!column) return [];
    const calculated = scope.store.calculations.of(table.name, column.name);
    return [{ column, sql: calculated ? calculatedSql(scope, table.name, alias, calculated) : `${alias}.${column.quotedName}` }];
  });
  const first = found[0];
  const qualified = (canonical: string) => (node.path === '' ? canonical : `${node.path}.${canonical}`);
  if (node.polymorphic && name.toLowerCase() === 'type') return typeOfPolymorphic(node, qualified('Type'));
  if (first) {
    const sql = found.length === 1 ? first.sql : `COALESCE(${found.map((entry) => entry.sql).join(', ')})`;
    return { kind: 'column', sql, type: first.column.kind, column: first.column, node, name: qualified(first.column.name) };
  }
  const compound = node.tables.length === 1 ? node.tables[0]!.table.compound(name) : undefined;
  if (compound) return { kind: 'compound', compound, node, name: qualified(compound.name) };
  throw noSuchColumn(scope.soql, token, name, node.polymorphic ? 'Name' : node.tables[0]!.table.name);
}

/** `Who.Type`: the name of the object that the reference points at. */
function typeOfPolymorphic(node: Node, name: string): Resolved {
  const sql = `CASE ${node.tables.map(({ table, alias }) => `WHEN ${alias}."Id" IS NOT NULL THEN '${table.name.replaceAll("'", "''")}'`).join(' ')} END`;
  const idColumn = node.tables[0]!.table.column('Id')!;
  const column: Column = {
    ...idColumn,
    name: 'Type',
    kind: 'text',
    quotedName: quoted('Type'),
    foldIndexed: false,
    field: { ...idColumn.field, name: 'Type', label: 'Type', type: 'string', length: 40, filterable: true, sortable: true },
  };
  return { kind: 'column', sql, type: 'text', column, node, name };
}

/** The condition that leaves out what lies in the recycle bin; `undefined` where nothing can. */
export function aliveCondition(scope: Scope): string | undefined {
  const { table, alias } = scope.root.tables[0]!;
  return table.softDeletes && !scope.includeDeleted ? `${alias}."IsDeleted" = 0` : undefined;
}

/** `FROM "Contact" t1` */
export function fromClause(scope: Scope): string {
  const { table, alias } = scope.root.tables[0]!;
  return ` FROM ${table.quotedName} ${alias}`;
}
