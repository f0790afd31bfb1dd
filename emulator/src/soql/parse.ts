import {
  type FieldType,
  type GroupByClause,
  type OrderByClause,
  parseQuery,
  type Query,
  type Subquery,
} from '@jetstreamapp/soql-parser-js';
import { SalesforceError } from '../org/types.ts';
import { parseCondition } from './condition.ts';
import { malformed, unexpectedToken } from './errors.ts';
import { path, readFunction } from './operand.ts';
import type { Order, Select, SelectItem } from './syntax.ts';

const lengthMax = 100_000;
const offsetMax = 2000;
/** Child queries of one query (SOQL and SOSL Reference, "Understanding Relationship Query Limitations"). */
const childQueriesMax = 20;

/** @throws {SalesforceError} `MALFORMED_QUERY` and what else is wrong with a query before its names are known. */
export function parseSoql(soql: string): Select {
  if (soql.length > lengthMax) throw malformed('SOQL statements cannot be longer than 100,000 characters');
  let query: Query;
  try {
    query = parseQuery(escapeNewlines(soql), { allowApexBindVariables: false, ignoreParseErrors: false });
  } catch (error) {
    throw translate(soql, error as Error);
  }
  checkNegations(soql, query);
  if (query.sObject === undefined) throw unexpectedToken(soql, '');
  return readQuery(soql, query, query.sObject);
}

/** The library refuses a raw newline within quotes; Salesforce does not. */
function escapeNewlines(soql: string): string {
  return soql.replaceAll(/'(?:[^'\\]|\\.)*'/gs, (quoted) => quoted.replaceAll('\r', '\\r').replaceAll('\n', '\\n'));
}

/** Of three NOTs in a row the library drops one without a word: better no answer than a wrong one. */
function checkNegations(soql: string, query: Query): void {
  const written = soql.replaceAll(/'(?:[^'\\]|\\.)*'/gs, "''").match(/\bNOT\b(?!\s+IN\b)/gi)?.length ?? 0;
  const understood = JSON.stringify(query).match(/"operator":"NOT"/g)?.length ?? 0;
  if (written !== understood) throw malformed('this emulator cannot read three NOTs in a row');
}

/** The library's messages list grammar rules; what users can act on is the token that was not expected. */
function translate(soql: string, error: Error): SalesforceError {
  if (error instanceof SalesforceError) return error;
  const found = /but found(?: -->|:) '(.*?)'(?: <--)?/s.exec(error.message) ?? /->(.+?)<-/s.exec(error.message);
  return unexpectedToken(soql, found?.[1] ?? '');
}

export function readQuery(soql: string, query: Query | Subquery, from: string): Select {
  if (query.for === 'UPDATE' || query.update !== undefined) throw unexpectedToken(soql, query.for ?? 'UPDATE');
  if (query.offset !== undefined && query.offset > offsetMax) {
    throw new SalesforceError('NUMBER_OUTSIDE_VALID_RANGE', `SOQL offset should be less than or equal to ${offsetMax}`);
  }
  if ((query.fields ?? []).filter(({ type }) => type === 'FieldSubquery').length > childQueriesMax) {
    throw malformed(`a query has at most ${childQueriesMax} child queries`);
  }
  const list = <T>(value: T | T[] | undefined): T[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
  return {
    soql,
    from,
    alias: query.sObjectAlias,
    items: list(query.fields).map((field) => readItem(soql, field)),
    where: query.where && parseCondition(soql, query.where),
    groupBy: list<GroupByClause>(query.groupBy).map((group) => ('field' in group ? path(group.field) : readFunction(group.fn))),
    having: query.having && parseCondition(soql, query.having),
    orderBy: list<OrderByClause>(query.orderBy).map(readOrder),
    limit: query.limit,
    offset: query.offset,
  };
}

function readItem(soql: string, field: FieldType): SelectItem {
  switch (field.type) {
    case 'Field':
      // `rawValue` keeps the object's alias or name: `c.Name`.
      return { kind: 'value', operand: path('rawValue' in field ? field.rawValue : field.field), alias: field.alias };
    case 'FieldRelationship':
      return {
        kind: 'value',
        operand: path(field.rawValue ?? [...field.relationships, field.field].join('.')),
        alias: 'alias' in field ? field.alias : undefined,
      };
    case 'FieldFunctionExpression': {
      if (field.functionName.toUpperCase() === 'FIELDS') {
        const scope = String(field.parameters[0]).toUpperCase();
        if (scope !== 'ALL' && scope !== 'CUSTOM' && scope !== 'STANDARD') throw unexpectedToken(soql, scope);
        return { kind: 'fields', scope };
      }
      return { kind: 'value', operand: readFunction(field), alias: field.alias };
    }
    case 'FieldSubquery':
      return { kind: 'children', query: readQuery(soql, field.subquery, field.subquery.relationshipName) };
    case 'FieldTypeof':
      return {
        kind: 'typeof',
        relationship: field.field,
        when: field.conditions.map((condition) => ({ type: condition.objectType, fields: condition.fieldList })),
      };
  }
}

function readOrder(order: OrderByClause): Order {
  return {
    operand: 'field' in order ? path(order.field) : readFunction(order.fn),
    descending: order.order === 'DESC',
    nulls: order.nulls,
  };
}
