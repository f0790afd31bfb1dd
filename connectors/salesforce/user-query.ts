import { RequestRefusedError } from '@tidemark/core';
import { datetime } from './soql.ts';

/** The records that belong to a sync, as a condition. */
export interface Filter {
  /** @param sinceMs What the user's watermark parameter stands for; null for the beginning of time. */
  text(sinceMs: number | null): string | undefined;
  /** Holds a sub-select, which SOQL allows only where nothing is joined by OR. */
  readonly hasSubselect: boolean;
  /** Everything in it that could be a field: words that are no literals. */
  readonly words: readonly string[];
}

export interface UserQuery {
  readonly object: string;
  readonly fields: readonly string[];
  readonly where: Filter | null;
}

interface Token {
  readonly text: string;
  readonly at: number;
  readonly depth: number;
}

/** Literals are one token each, so that nothing inside them is taken for a word. */
const tokenPattern = /'(?:\\[\s\S]|[^'\\])*'|\$\{\s*\w+\s*\}|:\s*[A-Za-z_]\w*|[\w.:+-]+|[<>!]=?|<>|=|[^\s]/g;

function tokenize(soql: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (const match of soql.matchAll(tokenPattern)) {
    if (match[0] === ')') depth--;
    tokens.push({ text: match[0], at: match.index, depth });
    if (match[0] === '(') depth++;
    if (depth < 0) break;
  }
  if (depth !== 0) throw refused('its parentheses do not match');
  return tokens;
}

/** Clauses that would make a page of the answer mean something else than records to be kept equal. */
const forbidden: Readonly<Record<string, string>> = {
  GROUP: 'GROUP BY: groups have no Id by which they could be kept up to date',
  HAVING: 'HAVING: groups have no Id by which they could be kept up to date',
  LIMIT: 'LIMIT: records beyond it would come and go without a change of their own',
  OFFSET: 'OFFSET: records before it would come and go without a change of their own',
  USING: 'USING SCOPE',
  WITH: 'WITH',
  FOR: 'FOR VIEW, FOR REFERENCE and FOR UPDATE, which change records',
  UPDATE: 'UPDATE, which changes records',
  ALL: 'ALL ROWS, which is for Apex',
};

/**
 * Reads a user's SOQL as far as it has to be known: object, fields, condition and the watermark parameter in it
 * (`LastModifiedDate > :lastUpdateTimestamp`). ORDER BY is dropped: records come in an order of our own.
 * @throws {RequestRefusedError} it is something that cannot be kept in sync by it.
 */
export function parseUserQuery(soql: string): UserQuery {
  const tokens = tokenize(soql);
  const word = (index: number) => tokens[index]?.text.toUpperCase();
  const top = (from: number, ...words: string[]) =>
    tokens.findIndex((token, index) => index >= from && token.depth === 0 && words.includes(token.text.toUpperCase()));
  if (word(0) !== 'SELECT') throw refused('it does not begin with SELECT');
  const fromAt = top(1, 'FROM');
  if (fromAt < 0 || tokens[fromAt + 1] === undefined) throw refused('it has no FROM');
  const fields = tokens
    .slice(1, fromAt)
    .map((token) => token.text)
    .join(' ')
    .split(',')
    .map((field) => field.trim());
  for (const field of fields) {
    if (/\bSELECT\b/i.test(field)) throw refused('it selects child records; sync them by their own object');
    if (field.includes('(')) throw refused(`it selects ${field.replaceAll(' ', '')}: only plain fields can be kept in sync`);
    if (!/^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/.test(field))
      throw refused(`${JSON.stringify(field)} is no field (aliases and TYPEOF cannot be used)`);
  }
  const object = tokens[fromAt + 1]!.text;
  if (!/^[A-Za-z]\w*$/.test(object)) throw refused(`${JSON.stringify(object)} is no object`);
  // The object's own name may stand before a field.
  const own = (field: string) =>
    field.toLowerCase().startsWith(`${object.toLowerCase()}.`) ? field.slice(object.length + 1) : field;
  const plain = fields.map(own);
  if (!plain.some((field) => field.toLowerCase() === 'id')) {
    throw refused('it does not select Id, by which a record is known again');
  }
  const clause = top(fromAt + 2, ...Object.keys(forbidden));
  if (clause >= 0) throw refused(`it has ${forbidden[word(clause)!]}`);
  const orderAt = top(fromAt + 2, 'ORDER');
  const whereAt = top(fromAt + 2, 'WHERE');
  const afterObject = tokens[fromAt + 2];
  if (afterObject !== undefined && whereAt !== fromAt + 2 && orderAt !== fromAt + 2) {
    throw refused(`${JSON.stringify(afterObject.text)} stands where WHERE or the end was due (aliases cannot be used)`);
  }
  if (whereAt < 0) return { object, fields: plain, where: null };
  const until = orderAt < 0 ? soql.length : tokens[orderAt]!.at;
  return { object, fields: plain, where: parseFilter(soql.slice(tokens[whereAt]!.at + 'WHERE'.length, until)) };
}

/** A user's condition, with at most one watermark parameter, which may only stand after > or >=. */
export function parseFilter(condition: string): Filter {
  const tokens = tokenize(condition);
  if (tokens.length === 0) throw refused('its condition is empty');
  const open = tokens.find((token) => token.text === "'" || token.text === ';' || token.text === '--');
  if (open !== undefined)
    throw refused(`its condition has ${open.text === "'" ? 'a text without an end' : `a stray ${open.text}`}`);
  const parameters = tokens.flatMap((token, index) => (/^(:|\$\{)/.test(token.text) ? [{ token, index }] : []));
  for (const { token, index } of parameters) {
    if (!/^>=?$/.test(tokens[index - 1]?.text ?? '')) {
      throw refused(`the parameter ${token.text} has to stand after > or >=: it is the moment up to which changes are known`);
    }
  }
  if (new Set(parameters.map(({ token }) => token.text)).size > 1) throw refused('it has more than one parameter');
  const first = tokens.find(
    (token) => token.depth === 0 && ['ORDER', ...Object.keys(forbidden)].includes(token.text.toUpperCase()),
  );
  if (first !== undefined) throw refused(`its condition has ${forbidden[first.text.toUpperCase()] ?? first.text}`);
  return {
    hasSubselect: tokens.some((token, index) => token.text.toUpperCase() === 'SELECT' && tokens[index - 1]?.text === '('),
    words: tokens.map((token) => token.text).filter((text) => /^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/.test(text)),
    text(sinceMs) {
      let text = '';
      let at = 0;
      for (const { token } of parameters) {
        // One second less, the resolution of stamps: the user may have written > where >= loses nothing.
        text += condition.slice(at, token.at) + (sinceMs === null ? '1700-01-01T00:00:00.000Z' : datetime(sinceMs - 1000));
        at = token.at + token.text.length;
      }
      return (text + condition.slice(at)).trim();
    },
  };
}

/** Both conditions; null where there is none. */
export function bothFilters(one: Filter | null, other: Filter | null): Filter | null {
  if (one === null || other === null) return one ?? other;
  return {
    hasSubselect: one.hasSubselect || other.hasSubselect,
    words: [...one.words, ...other.words],
    text: (sinceMs) => `(${one.text(sinceMs)}) AND (${other.text(sinceMs)})`,
  };
}

function refused(why: string): RequestRefusedError {
  return new RequestRefusedError(`the query cannot be synced: ${why}`, {
    hint: 'Use object: with fields: and where: if in doubt',
  });
}
