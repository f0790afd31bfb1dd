import { normaliseId } from './ids.ts';
import type { Column, ColumnKind, Stored } from './table.ts';
import { SalesforceError, type Value } from './types.ts';

/** How a stored value reads in REST: `true`, `2024-05-22T13:05:09.000+0000`. */
export function toRest(kind: ColumnKind, stored: Stored): Value {
  if (stored === null) return null;
  if (kind === 'boolean') return stored === 1;
  if (kind === 'datetime') return `${(stored as string).slice(0, -1)}+0000`;
  return stored;
}

/** How a stored value reads in a Bulk CSV: doubles always show a fraction. */
export function toCsv(kind: ColumnKind, stored: Stored): string {
  if (stored === null) return '';
  if (typeof stored === 'string') return stored;
  if (kind === 'boolean') return stored === 1 ? 'true' : 'false';
  if (kind === 'double' && Number.isInteger(stored)) return `${stored}.0`;
  return String(stored);
}

const datetimeShape = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/;
const dateShape = /^\d{4}-\d{2}-\d{2}(?:Z|T.*)?$/;
const timeShape = /^(\d{2}:\d{2})(?::(\d{2}))?(?:\.(\d{1,3})\d*)?Z?$/;

/** Whole seconds, ISO form, or `undefined` when it is no datetime. Fractions of a second are not kept. */
export function parseDatetime(text: string): string | undefined {
  const match = datetimeShape.exec(text);
  if (!match) return undefined;
  const [, day, minutes = '00:00', seconds = '00', zone = 'Z'] = match;
  if (parseDate(day!) === undefined) return undefined;
  const ms = Date.parse(`${day}T${minutes}:${seconds}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`);
  return Number.isNaN(ms) ? undefined : stampOf(ms);
}

/** A calendar day that exists, between the years that Salesforce knows, or `undefined`. */
export function parseDate(text: string): string | undefined {
  if (!dateShape.test(text)) return undefined;
  const day = text.slice(0, 10);
  const ms = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day) return undefined;
  return day >= '1700-01-01' && day <= '4000-12-31' ? day : undefined;
}

export function parseTime(text: string): string | undefined {
  const match = timeShape.exec(text);
  if (!match) return undefined;
  const [, minutes, seconds = '00', fraction = ''] = match;
  return `${minutes}:${seconds}.${fraction.padEnd(3, '0')}Z`;
}

let lastStamp = { second: Number.NaN, text: '' };

/** An instant as it is stored: whole seconds. Most are the second of the one before, when many records are written. */
export function stampOf(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastStamp.second) lastStamp = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}.000Z` };
  return lastStamp.text;
}

/** As REST writes an instant. */
export function restStamp(ms: number): string {
  return toRest('datetime', stampOf(ms)) as string;
}

/**
 * Checks one value of a write and gives what is stored. Does not know of other records: references and uniqueness are
 * checked by the transaction.
 *
 * Numbers and booleans are accepted as text too, because a Bulk CSV has nothing else.
 * @throws {SalesforceError}
 */
export function checkValue(column: Column, value: Value): Stored {
  if (value === null || value === '') {
    return column.kind === 'boolean' ? 0 : null;
  }
  switch (column.kind) {
    case 'boolean':
      return checkBoolean(column, value);
    case 'int':
    case 'double':
      return checkNumber(column, value);
    case 'date':
      return checkShape(column, 'date', value, parseDate);
    case 'datetime':
      return checkShape(column, 'datetime', value, parseDatetime);
    case 'time':
      return checkShape(column, 'time', value, parseTime);
    case 'id':
      return checkId(column, value);
    case 'text':
      return checkText(column, value);
  }
}

function cannotDeserialize(column: Column, type: string, value: Value): SalesforceError {
  const token = typeof value === 'string' ? 'STRING' : typeof value === 'boolean' ? String(value).toUpperCase() : 'NUMBER';
  const message = `Cannot deserialize instance of ${type} from VALUE_${token} value ${value} or request may be missing a required field at [line:1, column:1]`;
  return new SalesforceError('JSON_PARSER_ERROR', message, { fields: [column.name] });
}

function checkBoolean(column: Column, value: Value): Stored {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const text = String(value).toLowerCase();
  if (text === 'true' || text === '1') return 1;
  if (text === 'false' || text === '0') return 0;
  throw cannotDeserialize(column, 'boolean', value);
}

function checkNumber(column: Column, value: Value): Stored {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) throw cannotDeserialize(column, column.field.type, value);
  if (column.kind === 'int') {
    if (!Number.isInteger(number)) throw cannotDeserialize(column, 'int', value);
    if (Math.abs(number) > 2_147_483_647) throw outsideRange(column, value);
    return number;
  }
  const { precision, scale } = column.field;
  if (precision > 0 && Math.abs(number) >= 10 ** (precision - scale)) throw outsideRange(column, value);
  return number;
}

function outsideRange(column: Column, value: Value): SalesforceError {
  const message = `${column.field.label}: value outside of valid range on numeric field: ${value}`;
  return new SalesforceError('NUMBER_OUTSIDE_VALID_RANGE', message, { fields: [column.name] });
}

function checkShape(column: Column, type: string, value: Value, parse: (text: string) => string | undefined): Stored {
  const parsed = typeof value === 'string' ? parse(value) : undefined;
  if (parsed === undefined) throw cannotDeserialize(column, type, value);
  return parsed;
}

function checkId(column: Column, value: Value): Stored {
  const id = typeof value === 'string' ? normaliseId(value) : undefined;
  if (id === undefined) {
    const message = `${column.field.label}: id value of incorrect type: ${value}`;
    throw new SalesforceError('MALFORMED_ID', message, { fields: [column.name] });
  }
  return id;
}

function checkText(column: Column, value: Value): Stored {
  const { field } = column;
  if (typeof value !== 'string') throw cannotDeserialize(column, 'string', value);
  // Blanks around a single line of text are not kept; a text of blanks is no text.
  const text = field.type === 'textarea' || field.type === 'base64' ? value : value.trim();
  if (text === '') return null;
  if (field.length > 0 && text.length > field.length) {
    const message = `${field.label}: data value too large: ${value} (max length=${field.length})`;
    throw new SalesforceError('STRING_TOO_LONG', message, { fields: [column.name] });
  }
  if (field.type === 'email' && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text)) {
    const message = `${field.label}: invalid email address: ${text}`;
    throw new SalesforceError('INVALID_EMAIL_ADDRESS', message, { fields: [column.name] });
  }
  if (field.type === 'email') return text.toLowerCase();
  if (field.restrictedPicklist && field.picklistValues.length > 0) return checkPicklist(column, text);
  return text;
}

/** The values as the picklist spells them; those of a multi-select picklist in its order, each once. */
function checkPicklist(column: Column, text: string): string {
  const values = column.field.picklistValues.filter((entry) => entry.active).map((entry) => entry.value);
  const chosen = (column.field.type === 'multipicklist' ? text.split(';') : [text]).map((item) => {
    const index = values.findIndex((value) => value.toLowerCase() === item.trim().toLowerCase());
    if (index >= 0) return index;
    const message = `${column.field.label}: bad value for restricted picklist field: ${item}`;
    throw new SalesforceError('INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST', message, { fields: [column.name] });
  });
  return [...new Set(chosen)]
    .sort((a, b) => a - b)
    .map((index) => values[index])
    .join(';');
}

/** What `load` stores: values are taken to be right, only their form is changed. Cheap, because it runs for every cell. */
export function storeUnchecked(kind: ColumnKind, value: Value | undefined): Stored {
  if (value === undefined || value === null || value === '') return kind === 'boolean' ? 0 : null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    if (kind === 'datetime') {
      if (value.length === 24 && value.endsWith('Z')) return value;
      if (value.endsWith('.000+0000')) return `${value.slice(0, -5)}Z`;
      return parseDatetime(value) ?? null;
    }
    if (kind === 'id' && value.length === 15) return normaliseId(value) ?? value;
    if (kind === 'int' || kind === 'double') return Number(value);
    if (kind === 'boolean') return value.toLowerCase() === 'true' ? 1 : 0;
  }
  return value;
}
