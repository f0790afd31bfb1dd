import type { ServedTable } from '../../control/served-tables.ts';
import type { Rows, RowsField } from '../../model/rows.ts';
import type { FieldType } from '../../model/value.ts';
import { pathOf } from './find-table.ts';
import { operators } from './read-query.ts';

type Json = Readonly<Record<string, unknown>>;

/** The paths of one table and the schemas of its rows, from what the database says of its columns. */
export function describeTable(table: ServedTable, rows: Rows): { readonly paths: Json; readonly schemas: Json } {
  const { connection, spec, access } = table;
  const name = `${connection}.${spec.name}`.replace(/[^\w.-]/g, '_');
  const path = pathOf(table);
  const own = { tags: [`data of ${connection}`], security: [{ token: [] }] };
  const row = { $ref: `#/components/schemas/${name}` };
  const operation = (summary: string, over: Json): Json => ({
    ...own,
    summary,
    ...over,
    responses: { ...(over.responses as Json), ...refusals },
  });
  const writes = access !== 'read' && rows.merge !== undefined;
  const listed = {
    get: operation(`Rows of ${spec.name}, page by page`, {
      parameters: listParameters(rows),
      responses: {
        200: reply('a page', {
          type: 'object',
          properties: { data: { type: 'array', items: row }, next: { type: ['string', 'null'] } },
        }),
      },
    }),
    ...(writes && {
      post: operation(`Make a row of ${spec.name}`, {
        ...written(table, bodyOf(rows, true)),
        responses: answersOf(table, 201, row),
      }),
    }),
  };
  const single = {
    parameters: [{ name: 'key', in: 'path', required: true, schema: { type: 'string' }, description: keyWords(rows) }],
    get: operation(`One row of ${spec.name}, with its ETag`, {
      parameters: [select, ifNoneMatch],
      responses: { 200: reply('the row', row), 304: { description: 'it is as If-None-Match says' } },
    }),
    ...(writes && {
      put: operation(`Replace a row of ${spec.name}`, {
        ...written(table, bodyOf(rows, true), [ifMatch, ifNoneMatch]),
        responses: { ...answersOf(table, 201, row), ...answersOf(table, 200, row) },
      }),
      patch: operation(`Change fields of a row of ${spec.name}`, {
        ...written(table, bodyOf(rows, false), [ifMatch]),
        responses: answersOf(table, 200, row),
      }),
      delete: operation(`Delete a row of ${spec.name}`, {
        ...written(table, null, [ifMatch]),
        responses: answersOf(table, 204, null),
      }),
    }),
  };
  return { paths: { [path]: listed, [`${path}/{key}`]: single }, schemas: { [name]: rowSchema(rows) } };
}

const refusal = { description: 'what is wrong, and what to do', content: { 'application/json': { schema: { type: 'object' } } } };
const refusals = { '4XX': refusal, '5XX': refusal };

export const listOfTables: Json = {
  ...{ tags: ['data'], security: [{ token: [] }], summary: 'Tables that are served row by row' },
  responses: { 200: reply('what may be asked of each', { type: 'array', items: { type: 'object' } }), ...refusals },
};
const select = {
  name: 'select',
  in: 'query',
  schema: { type: 'string' },
  description: 'fields that are wanted, with commas between; all of them unless told',
};
const ifMatch = {
  name: 'If-Match',
  in: 'header',
  schema: { type: 'string' },
  description: 'the ETag of the row as it was read, or * for whatever it is',
};
const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  schema: { type: 'string' },
  description: 'an ETag that is known; with PUT, * for a row that is not there yet',
};
const wait = {
  name: 'wait',
  in: 'query',
  schema: { type: 'integer', minimum: 0, maximum: 60 },
  description: 'seconds to wait for what the other side of the sync makes of it',
};

function listParameters({ schema }: Rows): Json[] {
  const names = schema.fields.map(({ name }) => name).join(', ');
  const properties = Object.fromEntries(
    schema.fields.filter(({ type }) => type !== 'json').map((field) => [field.name, typeSchema(field)]),
  );
  return [
    {
      ...{ name: 'filter', in: 'query', style: 'deepObject', explode: true, schema: { type: 'object', properties } },
      description: `filter[field]=value, or filter[field][comparison]=value with ${operators.join(', ')}. All have to hold; in may come several times`,
    },
    {
      name: 'sort',
      in: 'query',
      schema: { type: 'string' },
      description: `fields with commas between, - before one for the other way round: ${names}`,
    },
    select,
    { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } },
    { name: 'after', in: 'query', schema: { type: 'string' }, description: 'next of the page before' },
  ];
}

function written({ access }: ServedTable, body: Json | null, headers: readonly Json[] = []): Json {
  const parameters = [...headers, ...(access === 'write-through' ? [wait] : [])];
  return {
    parameters,
    ...(body !== null && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
  };
}

function answersOf({ access }: ServedTable, status: number, row: Json | null): Json {
  if (access !== 'write-through')
    return { [status]: row === null ? { description: 'it is gone' } : reply('the row as it is now', row) };
  const verdict = {
    type: 'object',
    properties: {
      ...{ id: { type: 'string' }, href: { type: 'string' }, status: { enum: ['pending', 'done', 'refused'] } },
      ...{ record: { type: 'object' }, data: row ?? { type: 'null' } },
    },
  };
  return {
    202: reply('the row is written, and href tells what becomes of it', verdict),
    [status === 204 ? 200 : status]: reply('with wait: the other side has it', verdict),
    422: reply('with wait: the other side refuses it, in its own words', verdict),
  };
}

function reply(description: string, schema: Json): Json {
  return { description, content: { 'application/json': { schema } } };
}

function keyWords({ schema: { key } }: Rows): string {
  return key.length === 1 ? key[0]! : `a JSON array of texts: ${key.join(', ')}`;
}

function rowSchema({ schema }: Rows): Json {
  return { type: 'object', properties: Object.fromEntries(schema.fields.map((field) => [field.name, fieldSchema(field)])) };
}

/** What may be sent: nothing that the database sets itself. */
function bodyOf({ schema }: Rows, isWhole: boolean): Json {
  const writable = schema.fields.filter((field) => field.writable);
  const required = isWhole ? writable.filter((field) => field.required).map(({ name }) => name) : [];
  return {
    type: 'object',
    properties: Object.fromEntries(writable.map((field) => [field.name, fieldSchema(field)])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

function fieldSchema(field: RowsField): Json {
  const schema = typeSchema(field);
  const nullable = field.nullable && schema.type !== undefined ? { type: [schema.type, 'null'].flat() } : {};
  return { ...schema, ...nullable, ...(!field.writable && { readOnly: true }) };
}

const types: Readonly<Record<FieldType, Json>> = {
  text: { type: 'string' },
  boolean: { type: 'boolean' },
  integer: { type: ['integer', 'string'], description: 'text where a double would round it' },
  decimal: { type: ['number', 'string'], description: 'text where a double would round it' },
  double: { type: 'number' },
  date: { type: 'string', format: 'date' },
  datetime: { type: 'string', format: 'date-time' },
  time: { type: 'string', examples: ['13:05:09.000'] },
  json: {},
  bytes: { type: 'string', contentEncoding: 'base64' },
};

function typeSchema({ type, length }: RowsField): Json {
  return { ...types[type], ...(type === 'text' && length !== undefined && { maxLength: length }) };
}
