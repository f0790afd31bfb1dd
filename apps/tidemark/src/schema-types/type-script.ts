import type { DescribedTarget, FieldType, TargetField } from '@tidemark/core';
import { describe, typeNames } from './value-types.ts';

const HEAD = `// Made by \`tidemark schema types\`: run it again instead of editing.
// Values are as Tidemark has them in JSON; a driver may make others of some, e.g. a Date of a timestamp.
`;

const types: Readonly<Record<FieldType, string>> = {
  text: 'string',
  boolean: 'boolean',
  integer: 'number',
  decimal: 'number | string',
  double: 'number',
  date: 'string',
  datetime: 'string',
  time: 'string',
  json: 'unknown',
  bytes: 'string',
};

/** TypeScript types for the rows of each target. The same metadata gives the same text, byte by byte. */
export function typeScriptOf(targets: readonly DescribedTarget[]): string {
  const names = typeNames(targets.map(({ sync }) => sync));
  return [HEAD, ...targets.map((target) => interfaceOf(target, names.get(target.sync)!))].join('\n');
}

function interfaceOf({ sync, from, to, history, fields }: DescribedTarget, name: string): string {
  const lines = [
    comment(`${from}, in ${to}: the sync ${sync}.`, ''),
    `export interface ${name} {`,
    ...fields.flatMap((field) => [comment(describe(field).join(' '), '  '), `  ${property(field.name)}: ${typeOf(field)};`]),
    '}',
    ...(history ? ['', ...versionOf(name)] : []),
  ];
  return `${lines.filter((line) => line !== null).join('\n')}\n`;
}

function versionOf(name: string): string[] {
  return [
    comment(`A version of it, as the table's history keeps them: it held from valid_from until just before valid_to.`, '')!,
    `export interface ${name}Version extends ${name} {`,
    '  valid_from: string;',
    '  /** Null: it still holds. */',
    '  valid_to: string | null;',
    "  operation: 'insert' | 'update';",
    "  ended_by: 'update' | 'delete' | null;",
    '}',
  ];
}

function typeOf({ schema, details }: TargetField): string {
  const nullable = schema.nullable && schema.type !== 'json' ? ' | null' : '';
  const choices = details?.values;
  if (schema.type !== 'text' || choices === undefined || choices.separator !== undefined) return types[schema.type] + nullable;
  // `string & {}` takes any text, and editors still propose the others.
  const open = choices.closed ? '' : ' | (string & {})';
  return `${choices.values.map(quoted).join(' | ')}${open}${nullable}`;
}

function property(name: string): string {
  return /^[A-Za-z$_][\w$]*$/.test(name) ? name : quoted(name);
}

function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function comment(text: string, indent: string): string | null {
  return text === '' ? null : `${indent}/** ${text.replaceAll('*/', '*\\/')} */`;
}
