import type { FilledConnection } from '../fill-connection.ts';
import { renderHead } from '../render-config.ts';
import { convertMapping } from './convert-mapping.ts';
import type { HerokuExport } from './read-export.ts';

export interface ConvertedExport {
  readonly text: string;
  readonly connections: readonly FilledConnection[];
  /** What differs from before and what has no counterpart, each also beside what it is about. */
  readonly remarks: readonly string[];
}

/** Of Heroku Connect: it is what nobody has set. */
const CALLS_DEFAULT = 30_000;
const KNOWN_CONNECTION = ['app_name', 'organization_id', 'schema_name', 'features', 'exported_at', 'name', 'id'];

/** A configuration that does what the exported one did, in the same schema, tables and columns. */
export function convertExport(from: HerokuExport, schemaFile: string | null): ConvertedExport {
  const { connection, mappings } = from;
  const schema = connection.schema_name ?? 'salesforce';
  const connections = connectionsOf(from, schema);
  const converted = mappings.map((mapping) => convertMapping(mapping, schema));
  const remarks = [...differences(schema), ...connectionRemarks(from)];
  const lines = [
    ...renderHead(connections, schemaFile),
    ...comment(0, [
      `From the Heroku Connect of ${connection.app_name ?? 'an app'}, organization ${connection.organization_id ?? 'unknown'}.`,
      ...remarks,
    ]),
    'syncs:',
    ...converted.flatMap(({ name, lines, remarks }) => [
      `  ${name}:`,
      ...comment(4, remarks),
      ...lines.map((line) => `    ${line}`),
    ]),
  ];
  return {
    text: `${lines.join('\n')}\n`,
    connections,
    remarks: [...remarks, ...converted.flatMap(({ name, remarks }) => remarks.map((remark) => `${name}: ${remark}`))],
  };
}

function connectionsOf({ mappings }: HerokuExport, schema: string): FilledConnection[] {
  const calls = mappings.map(({ config }) => config.sf_max_daily_api_calls ?? CALLS_DEFAULT);
  const share = calls.some((each) => each !== CALLS_DEFAULT) ? { budget: { share: Math.max(...calls) } } : {};
  const variable = (name: string) => `\${${name}}`;
  return [
    {
      name: 'crm',
      type: 'salesforce',
      block: {
        loginUrl: variable('SF_LOGIN_URL'),
        auth: { flow: 'client-credentials', clientId: variable('SF_CLIENT_ID'), clientSecret: variable('SF_CLIENT_SECRET') },
        ...share,
      },
      variables: new Map(['SF_LOGIN_URL', 'SF_CLIENT_ID', 'SF_CLIENT_SECRET'].map((name) => [name, null])),
      lacking: [],
    },
    {
      name: 'app',
      type: 'postgres',
      block: { url: variable('DATABASE_URL'), schema },
      variables: new Map([['DATABASE_URL', null]]),
      lacking: [],
    },
  ];
}

function differences(schema: string): string[] {
  return [
    'disconnect Heroku Connect before the first run: two that write the same tables undo each other',
    `tables, columns and sfid are as they were, in the schema ${schema}; rows that are there are taken over, not loaded anew`,
    'id stays the table’s own; a table that is made new by a one-way sync has sfid for its key, and no id',
    '_hc_lastop and _hc_err are written no more: tidemark failures list has what was refused, with the reason',
    '_trigger_log and its triggers are not used: tidemark schema apply makes what tells of the database’s changes',
  ];
}

function connectionRemarks({ connection, mappings, version: _, ...rest }: HerokuExport): string[] {
  const remarks: string[] = [];
  const calls = mappings.map(({ object_name, config }) => `${object_name} ${config.sf_max_daily_api_calls ?? CALLS_DEFAULT}`);
  remarks.push(`sf_max_daily_api_calls is for all syncs at once here, as budget of crm; it was ${calls.join(', ')}`);
  for (const [feature, value] of Object.entries(connection.features)) {
    if (value !== false && value !== null) remarks.push(`feature ${feature}: ${JSON.stringify(value)} has no counterpart`);
  }
  for (const [key, value] of [...unknown(connection, KNOWN_CONNECTION), ...Object.entries(rest)]) {
    remarks.push(`${key}: ${JSON.stringify(value)} has no counterpart`);
  }
  return remarks;
}

function unknown(block: object, known: readonly string[]): [string, unknown][] {
  return Object.entries(block).filter(([key]) => !known.includes(key));
}

/** What came from outside may not end the comment that it stands in. */
function comment(indent: number, texts: readonly string[]): string[] {
  return texts.map((text) => `${' '.repeat(indent)}# ${text.replace(/[\r\n\u0085\u2028\u2029]+/g, ' ')}`);
}
