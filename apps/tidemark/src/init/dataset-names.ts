import { type AnyConnector, inputSchema, type JsonSchema, namingKeys } from '@tidemark/core';

/** Which key of `from` or `to` names the dataset; null when there is none, as for a console. */
export function namingKey(connector: AnyConnector, side: 'from' | 'to'): string | null {
  const schema = connector[side];
  if (schema === undefined) return null;
  const json = inputSchema(schema);
  const properties = Object.assign({}, ...[json, ...(json.anyOf ?? json.oneOf ?? [])].map((s: JsonSchema) => s.properties ?? {}));
  return namingKeys.find((key) => Object.hasOwn(properties, key)) ?? null;
}

/** `OpportunityLineItem` → `opportunity_line_items`, `Sync_Request__c` → `sync_requests`: a table's usual name. */
export function tableName(dataset: string): string {
  const base = dataset
    .replace(/^.*\//, '')
    .replace(/\.\w+$/, '')
    .replace(/__(?:c|e|x|mdt)$/i, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase();
  const word = /^[a-z]/.test(base) ? base : `t_${base}`;
  // A file is named for what is in it already.
  if (/\.\w+$/.test(dataset)) return word;
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  if (/(?:s|x|ch|sh)$/.test(word)) return /[^s]s$/.test(word) ? word : `${word}es`;
  return `${word}s`;
}
