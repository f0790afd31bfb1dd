import { InvariantError } from '@tidemark/core';

/** The SOQL of one read. Every identifier is checked and every value written by a function of this file. */
export interface Select {
  readonly fields: readonly string[];
  readonly object: string;
  /** Joined with AND, each in parentheses. */
  readonly where?: readonly (string | undefined)[];
  readonly orderBy?: readonly string[];
  readonly limit?: number;
}

export function selectText(select: Select): string {
  const where = (select.where ?? []).filter((condition) => condition !== undefined);
  return [
    `SELECT ${select.fields.map(path).join(', ')} FROM ${identifier(select.object)}`,
    // AND and OR may not be mixed without parentheses, and a user's filter may hold either.
    where.length === 0
      ? ''
      : ` WHERE ${where.length === 1 ? where[0] : where.map((condition) => `(${condition})`).join(' AND ')}`,
    select.orderBy === undefined ? '' : ` ORDER BY ${select.orderBy.map(path).join(', ')}`,
    select.limit === undefined ? '' : ` LIMIT ${select.limit}`,
  ].join('');
}

export function countText(object: string, where: readonly (string | undefined)[]): string {
  return selectText({ fields: ['Id'], object, where }).replace(/^SELECT Id/, 'SELECT COUNT()');
}

export function identifier(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) throw new InvariantError(`${JSON.stringify(name)} is no name of an object or field`);
  return name;
}

/** A field, or one of a parent: `Account.Name`. */
export function path(name: string): string {
  return name.split('.').map(identifier).join('.');
}

/** A string literal. The backslash goes first: the other way round a value ending in one would swallow the closing quote. */
export function text(value: string): string {
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll('\b', '\\b')
    .replaceAll('\f', '\\f');
  return `'${escaped}'`;
}

/** A text for LIKE in which nothing is a wildcard. */
export function likeText(value: string): string {
  return text(value).replaceAll('%', '\\%').replaceAll('_', '\\_');
}

/** A datetime literal: bare, not quoted. */
export function datetime(ms: number): string {
  return new Date(ms).toISOString();
}

export function inList(field: string, ids: readonly string[]): string {
  return `${path(field)} IN (${ids.map(text).join(',')})`;
}

/** Rows after this one in the order of stamp and id. Equal stamps are many: a mass update gives them to thousands. */
export function after(stampField: string, stampMs: number, id: string): string {
  const stamp = datetime(stampMs);
  return `${stampField} > ${stamp} OR (${stampField} = ${stamp} AND Id > ${text(id)})`;
}
