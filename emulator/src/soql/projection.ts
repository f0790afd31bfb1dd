import type { Store } from '../org/store.ts';
import type { ColumnKind, Compound, Stored, Table } from '../org/table.ts';
import { toRest } from '../org/values.ts';
import { childPlan } from './children.ts';
import { invalidField, malformed, noSuchType } from './errors.ts';
import { operandSql } from './expression.ts';
import { path } from './operand.ts';
import { createScope, fromClause, type Node, parentOf, type Resolved, resolveField, resolvePath, type Scope } from './scope.ts';
import type { Select, SelectItem } from './syntax.ts';
import { createUserTime, type UserTime } from './user-time.ts';

/** How chosen rows become records. Rows are named by `_rid`, so that ids fixed earlier can be read at any time. */
export interface Projection {
  /** One record, or `undefined` when the row is gone. */
  read(rid: number, version: string): Record<string, unknown> | undefined;
  /** The records in the order of the rids; rows that are gone are left out. */
  readAll(rids: readonly number[], version: string): Record<string, unknown>[];
}

type Row = readonly Stored[];
type Render = (row: Row, version: string) => unknown;

/** The record's columns and how to nest them. Columns are asked for once, however often they are rendered. */
class Columns {
  readonly sql: string[] = [];
  readonly #known = new Map<string, number>();

  add(sql: string): number {
    let index = this.#known.get(sql);
    if (index === undefined) {
      index = this.sql.length;
      this.sql.push(sql);
      this.#known.set(sql, index);
    }
    return index;
  }
}

/** A record being composed: its own fields and the parents below it, in SELECT order. */
interface Branch {
  readonly node: Node;
  readonly entries: Map<string, Render | Branch>;
}

/** All fields, or those named, of one object: what retrieving a record by id answers. */
export function compileProjection(store: Store, table: Table, fields: readonly string[] | undefined): Projection {
  const names = fields ?? table.object.fields.map((field) => field.name);
  const soql = `SELECT ${names.join(',')} FROM ${table.name}`;
  const items = names.map((name): SelectItem => ({ kind: 'value', operand: path(name), alias: undefined }));
  const scope = createScope(store, table, soql, false);
  return project(scope, items, undefined, { time: createUserTime(0, () => 'UTC') });
}

export interface ProjectionContext {
  time: UserTime;
}

export function project(
  scope: Scope,
  items: readonly SelectItem[],
  alias: string | undefined,
  context: ProjectionContext,
): Projection {
  const columns = new Columns();
  columns.add(`${scope.root.tables[0]!.alias}."_rid"`);
  const root: Branch = { node: scope.root, entries: new Map() };
  for (const item of items) addItem(scope, columns, root, item, alias, context);
  const render = renderBranch(columns, root);
  const { alias: rootAlias } = scope.root.tables[0]!;
  const from = `SELECT ${columns.sql.join(', ')}${fromClause(scope)}${scope.joins()}`;
  const many = scope.store.database.prepare(`${from} WHERE ${rootAlias}."_rid" IN (SELECT value FROM json_each(?))`);
  many.setReturnArrays(true);

  function readAll(rids: readonly number[], version: string): Record<string, unknown>[] {
    const found = new Map<number, Row>();
    for (const row of many.all(JSON.stringify(rids)) as unknown as Row[]) found.set(row[0] as number, row);
    const records: Record<string, unknown>[] = [];
    for (const rid of rids) {
      const row = found.get(rid);
      if (row) records.push(render(row, version) as Record<string, unknown>);
    }
    return records;
  }

  return { readAll, read: (rid, version) => readAll([rid], version)[0] };
}

function addItem(
  scope: Scope,
  columns: Columns,
  root: Branch,
  item: SelectItem,
  alias: string | undefined,
  context: ProjectionContext,
): void {
  switch (item.kind) {
    case 'children': {
      const { key, render } = childPlan(scope, item.query, context);
      const id = columns.add(`${scope.root.tables[0]!.alias}."Id"`);
      enter(scope, root, key, (row, version) => render(row[id] as string, version));
      return;
    }
    case 'typeof':
      addTypeof(scope, columns, root, item);
      return;
    case 'fields':
      throw malformed('FIELDS() must be expanded first');
    case 'value': {
      const { operand } = item;
      if (operand.kind === 'function') {
        const { key, render } = functionRender(scope, columns, operand, item.alias, alias);
        enter(scope, root, key, render);
        return;
      }
      const resolved = resolvePath(scope, operand.path, alias);
      addResolved(scope, columns, root, resolved, operand.text);
    }
  }
}

function addResolved(scope: Scope, columns: Columns, root: Branch, resolved: Resolved, text: string): void {
  let branch = root;
  const steps = resolved.name.split('.');
  for (const step of steps.slice(0, -1)) {
    const next = branch.entries.get(step);
    if (next && typeof next !== 'function') branch = next;
    else {
      const child: Branch = { node: branch.node.parents.get(step.toLowerCase())!, entries: new Map() };
      branch.entries.set(step, child);
      branch = child;
    }
  }
  enter(scope, branch, steps.at(-1)!, fieldRender(columns, resolved), text);
}

function enter(scope: Scope, branch: Branch, key: string, render: Render, text = key): void {
  if (branch.entries.has(key)) throw invalidField(scope.soql, text, `duplicate field selected: ${text}`);
  branch.entries.set(key, render);
}

function fieldRender(columns: Columns, resolved: Resolved): Render {
  if (resolved.kind === 'compound') return compoundRender(columns, resolved.compound, resolved.node.tables[0]!.alias);
  const index = columns.add(resolved.sql);
  return valueRender(index, resolved.type);
}

function valueRender(index: number, type: ColumnKind): Render {
  if (type === 'boolean' || type === 'datetime') return (row) => toRest(type, row[index]!);
  return (row) => row[index];
}

function compoundRender(columns: Columns, compound: Compound, alias: string): Render {
  const parts = compound.parts.map(({ key, column }) => ({ key, index: columns.add(`${alias}.${column.quotedName}`) }));
  return (row) => {
    if (parts.every(({ index }) => row[index] === null)) return null;
    return Object.fromEntries(parts.map(({ key, index }) => [key, row[index]]));
  };
}

function functionRender(
  scope: Scope,
  columns: Columns,
  operand: Extract<Extract<SelectItem, { kind: 'value' }>['operand'], { kind: 'function' }>,
  itemAlias: string | undefined,
  alias: string | undefined,
): { key: string; render: Render } {
  const value = operandSql(scope, operand, alias, false);
  const index = columns.add(value.sql);
  const plain = valueRender(index, value.type);
  if (operand.name === 'TOLABEL') {
    const labels = new Map(value.column?.field.picklistValues.map((entry) => [entry.value, entry.label]));
    const translate = (text: unknown) =>
      typeof text === 'string'
        ? text
            .split(';')
            .map((part) => labels.get(part) ?? part)
            .join(';')
        : text;
    return { key: itemAlias ?? value.column?.name ?? value.text, render: (row, version) => translate(plain(row, version)) };
  }
  if (operand.name === 'FORMAT') {
    return {
      key: itemAlias ?? value.column?.name ?? value.text,
      render: (row) => (row[index] === null ? null : String(row[index])),
    };
  }
  // Date functions are for grouping.
  throw malformed(`unexpected token: '${operand.text}'`);
}

/** A record, or null for a parent that is not there. */
function renderBranch(columns: Columns, branch: Branch): Render {
  const { node } = branch;
  const ids = node.tables.map(({ table, alias }) => ({ type: table.name, index: columns.add(`${alias}."Id"`) }));
  const entries = [...branch.entries].map(([key, entry]): [string, Render] => [
    key,
    typeof entry === 'function' ? entry : renderBranch(columns, entry),
  ]);
  return (row, version) => {
    const found = ids.find(({ index }) => row[index] !== null);
    if (!found) return null;
    const record: Record<string, unknown> = {
      attributes: {
        // What several objects may stand for is shown as the object that they have in common.
        type: node.polymorphic ? 'Name' : found.type,
        url: `/services/data/${version}/sobjects/${found.type}/${row[found.index]}`,
      },
    };
    for (const [key, render] of entries) record[key] = render(row, version);
    return record;
  };
}

/** `TYPEOF What WHEN Account THEN Phone ELSE Name END`: the fields depend on what is referred to. */
function addTypeof(scope: Scope, columns: Columns, root: Branch, item: Extract<SelectItem, { kind: 'typeof' }>): void {
  const node = parentOf(scope, scope.root, item.relationship, item.relationship);
  if (!node.polymorphic)
    throw invalidField(scope.soql, item.relationship, `${item.relationship} is not a polymorphic relationship`);
  const otherwise = item.when.find((branch) => branch.type === undefined);
  const known = item.when.filter((branch) => branch.type !== undefined);
  for (const { type } of known) {
    if (!node.tables.some(({ table }) => table.name.toLowerCase() === type!.toLowerCase())) throw noSuchType(scope.soql, type!);
  }
  const renders = node.tables.map(({ table, alias }) => {
    const when = known.find((branch) => branch.type!.toLowerCase() === table.name.toLowerCase());
    const single: Node = { tables: [{ table, alias }], polymorphic: false, path: '', parents: new Map() };
    const shown: Node = when ? single : node;
    const entries = new Map<string, Render | Branch>();
    for (const name of (when ?? otherwise)?.fields ?? []) {
      const resolved = resolveField(scope, shown, name, name);
      entries.set(resolved.name.split('.').at(-1)!, fieldRender(columns, resolved));
    }
    return { id: columns.add(`${alias}."Id"`), render: renderBranch(columns, { node: single, entries }) };
  });
  enter(scope, root, node.path, (row, version) => {
    const found = renders.find(({ id }) => row[id] !== null);
    return found ? found.render(row, version) : null;
  });
}

/** `FIELDS(ALL)` and its kin written out; anything else as it stands. */
export function expandFields(table: Table, select: Select, withCompounds: boolean): SelectItem[] {
  return select.items.flatMap((item): SelectItem[] => {
    if (item.kind !== 'fields') return [item];
    return table.object.fields
      .filter((field) => item.scope === 'ALL' || field.custom === (item.scope === 'CUSTOM'))
      .filter((field) => withCompounds || table.column(field.name))
      .map((field) => ({ kind: 'value', operand: path(field.name), alias: undefined }));
  });
}

/** The flat form for Bulk: SQL columns, their names, and their kinds. */
export function flatColumns(
  scope: Scope,
  items: readonly SelectItem[],
  alias: string | undefined,
): { name: string; sql: string; type: ColumnKind }[] {
  const seen = new Set<string>();
  return items.map((item) => {
    if (item.kind !== 'value' || item.operand.kind !== 'path') {
      throw malformed('Bulk queries select plain fields and fields of parents only');
    }
    const resolved = resolvePath(scope, item.operand.path, alias);
    if (resolved.kind === 'compound')
      throw invalidField(scope.soql, item.operand.text, 'Selecting compound data not supported in Bulk Query');
    if (seen.has(resolved.name))
      throw invalidField(scope.soql, item.operand.text, `duplicate field selected: ${item.operand.text}`);
    seen.add(resolved.name);
    return { name: resolved.name, sql: resolved.sql, type: resolved.type };
  });
}
