import type { FieldDescribe, ObjectDescribe, Schema } from '../../schema/types.ts';
import { parseSoql } from '../../soql/parse.ts';
import type { Operand, Select, SelectItem } from '../../soql/syntax.ts';

/** One column as `?columns=true` tells it. Parents and children hold theirs in `joinColumns`. */
interface ColumnMetadata {
  aggregate: boolean;
  apexType: string | null;
  booleanType: boolean;
  columnName: string;
  custom: boolean;
  displayName: string;
  foreignKeyName: string | null;
  insertable: boolean;
  joinColumns: ColumnMetadata[];
  numberType: boolean;
  textType: boolean;
  updatable: boolean;
}

/**
 * What a query will answer, without answering it: `GET /query?q=…&columns=true`. No guide has it; `sf data query` asks
 * for it after each query that found something.
 */
export function queryColumns(soql: string, schema: Schema): Record<string, unknown> {
  const select = parseSoql(soql);
  const object = schema.object(select.from);
  const columnMetadata = columnsOf(select, object, schema);
  return {
    columnMetadata,
    entityName: object?.name ?? select.from,
    groupBy: select.groupBy.length > 0,
    idSelected: columnMetadata.some(({ columnName }) => columnName === 'Id'),
    keyPrefix: object?.keyPrefix ?? null,
  };
}

function columnsOf(select: Select, object: ObjectDescribe | undefined, schema: Schema): ColumnMetadata[] {
  const columns: ColumnMetadata[] = [];
  let functions = 0;
  for (const item of select.items) {
    if (item.kind === 'value' && item.operand.kind === 'function') {
      columns.push(functionColumn(item.operand, item.alias ?? `expr${functions++}`));
    } else addItem(columns, item, select, object, schema);
  }
  return columns;
}

function addItem(
  columns: ColumnMetadata[],
  item: SelectItem,
  select: Select,
  object: ObjectDescribe | undefined,
  schema: Schema,
): void {
  switch (item.kind) {
    case 'value': {
      if (item.operand.kind !== 'path') return;
      const [first = '', ...rest] = item.operand.path;
      const isQualifier = [select.alias, select.from].some((name) => name?.toLowerCase() === first.toLowerCase());
      addPath(columns, isQualifier && rest.length > 0 ? rest : item.operand.path, object, schema);
      return;
    }
    case 'fields': {
      const wanted = (field: FieldDescribe) => item.scope === 'ALL' || field.custom === (item.scope === 'CUSTOM');
      for (const field of object?.fields ?? []) if (wanted(field)) columns.push(fieldColumn(field.name, field));
      return;
    }
    case 'children': {
      const relation = object?.childRelationships.find((each) => sameName(each.relationshipName, item.query.from));
      const child = relation && schema.object(relation.childSObject);
      const column = relationColumn(relation?.relationshipName ?? item.query.from);
      columns.push({ ...column, aggregate: true, joinColumns: columnsOf(item.query, child, schema) });
      return;
    }
    case 'typeof': {
      const names = new Set(item.when.flatMap(({ fields }) => fields));
      const joinColumns = [...names].map((name) => fieldColumn(name, undefined));
      columns.push({ ...relationColumn(item.relationship), joinColumns });
    }
  }
}

/** `Account.Owner.Name`: parents are told once, however many of their fields are asked for. */
function addPath(columns: ColumnMetadata[], path: readonly string[], object: ObjectDescribe | undefined, schema: Schema): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    const field = object && schema.field(object.name, first);
    columns.push(fieldColumn(field?.name ?? first, field));
    return;
  }
  const field = object?.fields.find(({ relationshipName }) => sameName(relationshipName, first));
  const name = field?.relationshipName ?? first;
  let parent = columns.find((column) => column.columnName === name && !column.aggregate);
  if (!parent) {
    parent = relationColumn(name);
    columns.push(parent);
  }
  addPath(parent.joinColumns, rest, schema.object(field?.referenceTo[0] ?? ''), schema);
}

const sameName = (a: string | null, b: string) => a?.toLowerCase() === b.toLowerCase();

const blank = {
  aggregate: false,
  booleanType: false,
  custom: false,
  foreignKeyName: null,
  insertable: false,
  numberType: false,
  textType: false,
  updatable: false,
};

const relationColumn = (name: string): ColumnMetadata => ({
  ...blank,
  apexType: null,
  columnName: name,
  custom: name.endsWith('__r'),
  displayName: name,
  joinColumns: [],
});

const functionColumn = ({ text }: Operand, name: string): ColumnMetadata => ({
  ...blank,
  aggregate: true,
  apexType: null,
  columnName: name,
  displayName: text,
  joinColumns: [],
});

const apexTypes: Readonly<Record<string, string>> = {
  'tns:ID': 'Id',
  'xsd:boolean': 'Boolean',
  'xsd:int': 'Integer',
  'xsd:double': 'Double',
  'xsd:date': 'Date',
  'xsd:dateTime': 'Datetime',
  'xsd:time': 'Time',
};

function fieldColumn(name: string, field: FieldDescribe | undefined): ColumnMetadata {
  const apexType = apexTypes[field?.soapType ?? ''] ?? 'String';
  return {
    ...blank,
    apexType,
    booleanType: apexType === 'Boolean',
    columnName: name,
    custom: field?.custom ?? false,
    displayName: name,
    foreignKeyName: field?.type === 'reference' ? field.relationshipName : null,
    insertable: field?.createable ?? false,
    joinColumns: [],
    numberType: apexType === 'Integer' || apexType === 'Double',
    textType: apexType === 'String',
    updatable: field?.updateable ?? false,
  };
}
