import { scalar } from '../render-config.ts';
import type { HerokuMapping } from './read-export.ts';

/** A sync that does what a mapping did, as it stands in the file, and what somebody has to know of it. */
export interface ConvertedMapping {
  readonly name: string;
  readonly lines: readonly string[];
  readonly remarks: readonly string[];
}

/** Set by the org alone. Formulas and roll-ups are too, and the export does not tell them: `tidemark check` does. */
const SET_BY_ORG = /^(IsDeleted|SystemModstamp|CreatedDate|CreatedById|LastModifiedDate|LastModifiedById|Last\w+Date)$/i;

/** What this does with a mapping's settings; anything else is told. */
const KNOWN = [
  'access',
  'fields',
  'indexes',
  'upsert_field',
  'sf_polling_seconds',
  'sf_notify_enabled',
  'sf_max_daily_api_calls',
  // When it was changed last: of no use to anybody else.
  'revision',
  'applied_at',
];

export function convertMapping(mapping: HerokuMapping, schema: string): ConvertedMapping {
  const { object_name: object, config } = mapping;
  const name = columnOf(object);
  const remarks: string[] = [];
  const isTwoWay = config.access === 'read_write';
  const lines = isTwoWay ? twoWay(mapping, remarks) : oneWay(mapping, remarks);
  lines.push(`every: ${duration(config.sf_polling_seconds)}`);
  if (config.sf_notify_enabled) {
    lines.push('live: true');
    remarks.push(`sf_notify_enabled: live: true follows change events; tidemark check --select selects ${object} for them`);
  }
  remarks.push(...indexRemarks(mapping, schema));
  for (const [key, value] of Object.entries(config)) {
    if (!KNOWN.includes(key)) remarks.push(`${key}: ${JSON.stringify(value)} has no counterpart`);
  }
  for (const [field, settings] of Object.entries(config.fields)) {
    if (Object.keys(settings).length > 0)
      remarks.push(`the settings of field ${field} have no counterpart: ${JSON.stringify(settings)}`);
  }
  return { name, lines, remarks };
}

function oneWay({ object_name: object, config }: HerokuMapping, remarks: string[]): string[] {
  if (config.upsert_field) remarks.push(`upsert_field ${config.upsert_field}: not needed, rows are found by sfid`);
  const named = Object.keys(config.fields).filter((field) => field.toLowerCase() !== 'id');
  const parents = named.filter((field) => field.includes('.'));
  if (parents.length > 0)
    remarks.push(`${parents.join(', ')}: the full run of each day brings what changed in other records alone`);
  return [
    `from: { connection: crm, object: ${object} }`,
    `to: { connection: app, table: ${columnOf(object)} }`,
    'fields:',
    '  sfid: Id',
    ...named.map((field) => `  ${scalar(columnOf(field))}: ${scalar(field)}`),
    ...(parents.length > 0 ? ['full: { every: 1d }'] : []),
  ];
}

function twoWay({ object_name: object, config }: HerokuMapping, remarks: string[]): string[] {
  const fields = Object.keys(config.fields).filter((field) => field.toLowerCase() !== 'id');
  for (const parent of fields.filter((field) => field.includes('.'))) {
    remarks.push(`${parent} is a field of another record: a two-way sync leaves it out; keep it by a one-way sync of its own`);
  }
  const own = fields.filter((field) => !field.includes('.'));
  const match = own.find((field) => field.toLowerCase() === config.upsert_field?.toLowerCase());
  if (config.upsert_field && match === undefined)
    remarks.push(`upsert_field ${config.upsert_field} is none of the mapped fields`);
  remarks.push(
    'rows that are made in the database are not made in the org yet: add link: <field> to the line of crm, a unique external id' +
      ` of ${object} in which Tidemark keeps the row's id${match === undefined ? '' : `; not ${match}, which holds your own ids`}`,
  );
  return [
    'between:',
    `  - { connection: crm, object: ${object} }`,
    `  - { connection: app, table: ${columnOf(object)}, link: sfid }`,
    'fields:',
    ...own.map((field) => {
      const plain = scalar(field);
      return `  ${scalar(columnOf(field))}: ${SET_BY_ORG.test(field) ? `{ field: ${plain}, to: app }` : plain}`;
    }),
    ...(match === undefined ? [] : [`match: ${columnOf(match)}`]),
    'conflicts: latest',
  ];
}

/** Tables that are there keep their indexes; others have none but that of the key. */
function indexRemarks({ object_name: object, config }: HerokuMapping, schema: string): string[] {
  const wanted = Object.entries(config.indexes).filter(([field]) => field.toLowerCase() !== 'id');
  if (wanted.length === 0) return [];
  const statements = wanted.map(
    ([field, { unique }]) =>
      `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ON "${schema.replaceAll('"', '""')}".${columnOf(object)} (${columnOf(field)});`,
  );
  return ['indexes stay where the table is there already; for a new one:', ...statements.map((each) => `  ${each}`)];
}

/** `Parent__r.External_Id__c` → `parent__r__external_id__c`: tables and columns are in lower case. */
function columnOf(name: string): string {
  return name.replaceAll('.', '__').toLowerCase();
}

function duration(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
