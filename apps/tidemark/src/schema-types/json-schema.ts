import type { DescribedTarget, FieldType, TargetField } from '@tidemark/core';
import { describe, typeNames } from './value-types.ts';

interface Rule {
  readonly [keyword: string]: unknown;
}

const types: Readonly<Record<FieldType, { readonly type?: readonly string[]; readonly more?: Rule }>> = {
  text: { type: ['string'] },
  boolean: { type: ['boolean'] },
  integer: { type: ['integer'] },
  decimal: { type: ['number', 'string'], more: { pattern: '^-?\\d+(\\.\\d+)?$' } },
  double: { type: ['number'] },
  date: { type: ['string'], more: { format: 'date' } },
  datetime: { type: ['string'], more: { format: 'date-time' } },
  time: { type: ['string'], more: { pattern: '^\\d\\d:\\d\\d:\\d\\d\\.\\d{3}$' } },
  json: {},
  bytes: { type: ['string'], more: { contentEncoding: 'base64' } },
};

/** JSON Schema (2020-12) for the rows of each target, under `$defs`. The same metadata gives the same text, byte by byte. */
export function jsonSchemaOf(targets: readonly DescribedTarget[]): string {
  const names = typeNames(targets.map(({ sync }) => sync));
  const rules: [string, Rule][] = targets.flatMap((target) => {
    const name = names.get(target.sync)!;
    return [
      [name, rowRule(target)] as [string, Rule],
      ...(target.history ? [[`${name}Version`, versionRule(name)] as [string, Rule]] : []),
    ];
  });
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: 'Made by `tidemark schema types --format json-schema`: run it again instead of editing.',
    $defs: Object.fromEntries(rules),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function rowRule({ sync, from, to, fields }: DescribedTarget): Rule {
  return {
    description: `${from}, in ${to}: the sync ${sync}.`,
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldRule(field)])),
    required: fields.map(({ name }) => name),
  };
}

function fieldRule(field: TargetField): Rule {
  const { schema, details } = field;
  const description = describe(field).join(' ');
  const titled = { ...(details?.label && { title: details.label }), ...(description !== '' && { description }) };
  const { type, more } = types[schema.type];
  if (type === undefined) return titled;
  const nullable = schema.nullable ? ['null'] : [];
  const length = schema.type === 'text' && schema.length !== undefined ? { maxLength: schema.length } : {};
  const choices = details?.values;
  if (choices?.closed && choices.separator === undefined && schema.type === 'text') {
    return { ...titled, enum: [...choices.values, ...nullable.map(() => null)] };
  }
  const proposed = choices !== undefined && choices.separator === undefined ? { examples: choices.values } : {};
  return {
    ...titled,
    type: nullable.length + type.length === 1 ? type[0] : [...type, ...nullable],
    ...more,
    ...length,
    ...proposed,
  };
}

function versionRule(name: string): Rule {
  const at = { type: 'string', format: 'date-time' };
  return {
    description: "A version of it, as the table's history keeps them: it held from valid_from until just before valid_to.",
    allOf: [{ $ref: `#/$defs/${name}` }],
    properties: {
      valid_from: at,
      valid_to: { ...at, type: ['string', 'null'], description: 'Null: it still holds.' },
      operation: { enum: ['insert', 'update'] },
      ended_by: { enum: ['update', 'delete', null] },
    },
    required: ['valid_from', 'valid_to', 'operation', 'ended_by'],
  };
}
