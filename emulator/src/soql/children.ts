import type { Stored } from '../org/table.ts';
import { noSuchChildren } from './errors.ts';
import { tailSql } from './order.ts';
import { expandFields, type ProjectionContext, project } from './projection.ts';
import { createScope, fromClause, requireQueryable, type Scope } from './scope.ts';
import type { Select } from './syntax.ts';
import { whereSql } from './where.ts';

/** `(SELECT Id FROM Contacts)`: what renders the children of one record, null when it has none. */
export function childPlan(
  parent: Scope,
  query: Select,
  context: ProjectionContext,
): { key: string; render: (parentId: string, version: string) => unknown } {
  const { store, soql } = parent;
  const parentTable = parent.root.tables[0]!.table;
  const name = query.from.toLowerCase();
  const relations = store.schema.object(parentTable.name)?.childRelationships ?? [];
  const relation = relations.find((entry) => entry.relationshipName?.toLowerCase() === name);
  if (!relation) throw noSuchChildren(soql, query.from);
  const table = requireQueryable(store, relation.childSObject, soql);
  const lookup = table.column(relation.field);
  if (!lookup) throw noSuchChildren(soql, query.from);

  const picking = createScope(store, table, soql, parent.includeDeleted);
  const { alias } = picking.root.tables[0]!;
  const parameters: Stored[] = [];
  const compile = { scope: picking, alias: query.alias, time: context.time, parameters };
  const where = whereSql(compile, query.where, [`${alias}.${lookup.quotedName} = ?`]);
  const tail = tailSql(compile, query);
  const sql = `SELECT ${alias}."_rid"${fromClause(picking)}${picking.joins()}${where}${tail}`;
  const pick = store.database.prepare(sql);
  pick.setReturnArrays(true);
  const projection = project(
    createScope(store, table, soql, parent.includeDeleted),
    expandFields(table, query, true),
    query.alias,
    context,
  );
  return {
    key: relation.relationshipName!,
    render(parentId, version) {
      const rids = (pick.all(parentId, ...parameters) as unknown as number[][]).map((row) => row[0]!);
      if (rids.length === 0) return null;
      const records = projection.readAll(rids, version);
      return { totalSize: records.length, done: true, records };
    },
  };
}
