import { parseDate } from '../org/values.ts';
import { malformed, unexpectedToken } from './errors.ts';
import type { Literal } from './syntax.ts';

/** SOQL and SOSL Limits, "WHERE clause: string literals". */
const charactersMax = 4000;

/** @param type  The library's name of the literal's type. */
export function parseLiteral(soql: string, text: string, type: string | undefined, n: number | null | undefined): Literal {
  switch (type) {
    case 'STRING': {
      const raw = text.slice(1, -1);
      if (raw.length > charactersMax) throw malformed(`a text in a condition has at most ${charactersMax} characters`);
      return { kind: 'string', value: unescapeText(raw), raw };
    }
    case 'INTEGER':
    case 'DECIMAL':
      return { kind: 'number', value: Number(text) };
    case 'INTEGER_WITH_CURRENCY_PREFIX':
    case 'DECIMAL_WITH_CURRENCY_PREFIX':
      return { kind: 'number', value: Number(text.slice(3)) };
    case 'BOOLEAN':
      return { kind: 'boolean', value: text.toUpperCase() === 'TRUE' };
    case 'NULL':
      return { kind: 'null' };
    case 'DATE':
      return { kind: 'date', value: requireDate(soql, text) };
    case 'DATETIME': {
      requireDate(soql, text.slice(0, 10));
      const ms = Date.parse(text);
      if (Number.isNaN(ms)) throw unexpectedToken(soql, text);
      return { kind: 'datetime', value: new Date(ms).toISOString() };
    }
    case 'DATE_LITERAL':
      return { kind: 'range', name: text.toUpperCase(), n: 0 };
    case 'DATE_N_LITERAL':
      return { kind: 'range', name: text.toUpperCase().split(':')[0]!, n: n ?? 0 };
    default:
      throw unexpectedToken(soql, text);
  }
}

/** `2026-13-45` looks like a date to the library. */
function requireDate(soql: string, text: string): string {
  const date = parseDate(text);
  if (date === undefined || date !== text) throw unexpectedToken(soql, text);
  return date;
}

const escapes: Record<string, string> = {
  n: '\n',
  N: '\n',
  r: '\r',
  R: '\r',
  t: '\t',
  T: '\t',
  b: '\b',
  B: '\b',
  f: '\f',
  F: '\f',
  '"': '"',
  "'": "'",
  '\\': '\\',
  _: '_',
  '%': '%',
};

/** SOQL Reference, "Quoted String Escape Sequences". Any other use of a backslash is an error. */
export function unescapeText(raw: string): string {
  return replaceEscapes(raw, (character) => escapes[character]!);
}

/** The pattern of a LIKE, escaped with `\` as SQL wants it. */
export function likePattern(raw: string): string {
  return replaceEscapes(raw, (character) => (/[_%\\]/.test(character) ? `\\${character}` : escapes[character]!));
}

function replaceEscapes(raw: string, replace: (character: string) => string): string {
  return raw.replaceAll(/\\(?:u([0-9A-Fa-f]{4})|([\s\S]?))/g, (_, hex: string | undefined, character: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (character === undefined || !(character in escapes)) {
      throw malformed(`Invalid string literal '${raw}'. Illegal character sequence '\\${character ?? ''}' in string literal.`);
    }
    return replace(character);
  });
}
