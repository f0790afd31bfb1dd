import type { FieldSchema, FieldType } from '@tidemark/core';

/** A column as the catalog describes it. */
export interface ExistingColumn {
  readonly name: string;
  /** With its length or precision, e.g. `character varying(80)`. */
  readonly type: string;
  /** Without. For a domain the type under it, so that compatibility is judged by what it is made of. */
  readonly baseType: string;
  /** `b` base, `e` enum, `d` domain, `c` composite … (pg_type.typtype) */
  readonly kind: string;
  readonly typmod: number;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Computed by the database, or an identity that takes no value: cannot be written. */
  readonly generated: boolean;
}

/** The type of a column that we create. */
export function columnType(field: FieldSchema): string {
  switch (field.type) {
    case 'text':
      // A length limit costs a failure for each value that the source later allows, and saves nothing in PostgreSQL.
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'integer':
      return field.precision !== undefined && field.precision <= 9 ? 'integer' : 'bigint';
    case 'decimal':
      return field.precision === undefined ? 'numeric' : `numeric(${field.precision},${field.scale ?? 0})`;
    case 'double':
      return 'double precision';
    case 'date':
      return 'date';
    case 'datetime':
      return 'timestamp with time zone';
    case 'time':
      return 'time without time zone';
    case 'json':
      return 'jsonb';
    case 'bytes':
      return 'bytea';
  }
}

const TEXTS = ['text', 'character varying', 'character', 'citext', 'name'];
const INTEGERS = ['bigint', 'integer', 'smallint'];

/** Column types that hold a field of this type without loss; what does not fit in one row is that row's failure. */
const fitting: Readonly<Record<FieldType, readonly string[]>> = {
  text: [...TEXTS, 'uuid', 'inet', 'xml'],
  boolean: ['boolean', ...TEXTS],
  integer: [...INTEGERS, 'numeric', 'double precision', 'real', ...TEXTS],
  decimal: ['numeric', 'double precision', 'real', ...TEXTS],
  double: ['double precision', 'real', 'numeric', ...TEXTS],
  date: ['date', 'timestamp with time zone', 'timestamp without time zone', ...TEXTS],
  datetime: ['timestamp with time zone', 'timestamp without time zone', ...TEXTS],
  time: ['time without time zone', ...TEXTS],
  json: ['jsonb', 'json', ...TEXTS],
  bytes: ['bytea', ...TEXTS],
};

export type Fit = { readonly kind: 'fits' } | { readonly kind: 'widen'; readonly type: string } | { readonly kind: 'refused' };

const FITS: Fit = { kind: 'fits' };

/** Whether a field can go into a column, and whether the column should grow first: growing loses nothing. */
export function fit(field: FieldSchema, column: ExistingColumn): Fit {
  if (column.generated) return { kind: 'refused' };
  if (field.type === 'text' && column.kind === 'e') return FITS;
  const whole = field.type === 'decimal' && field.scale === 0 && field.precision !== undefined && field.precision <= 18;
  if (!fitting[field.type].includes(column.baseType) && !(whole && INTEGERS.includes(column.baseType)))
    return { kind: 'refused' };
  // What a domain or an enum allows is its owner's to say.
  if (column.kind !== 'b' || column.typmod < 0) return FITS;
  if (column.baseType === 'character varying' && field.type === 'text') {
    return field.length !== undefined && field.length > column.typmod - 4
      ? { kind: 'widen', type: `character varying(${field.length})` }
      : FITS;
  }
  if (column.baseType === 'numeric' && field.type === 'decimal' && field.precision !== undefined) {
    const precision = ((column.typmod - 4) >> 16) & 0xffff;
    const scale = (((column.typmod - 4) & 0x7ff) ^ 1024) - 1024;
    const scaleMax = Math.max(scale, field.scale ?? 0);
    const wholeMax = Math.max(precision - scale, field.precision - (field.scale ?? 0));
    if (scaleMax > scale || wholeMax > precision - scale) {
      return { kind: 'widen', type: `numeric(${wholeMax + scaleMax},${scaleMax})` };
    }
  }
  return FITS;
}

/** The column types that a message offers as a remedy. */
export function fittingTypes(type: FieldType): string {
  return fitting[type].slice(0, 3).join(', ');
}

/** How a column of this type is compared: some types have no equality, or one that is blind to some differences. */
export function comparable(expression: string, baseType: string): string {
  if (baseType === 'json') return `${expression}::jsonb`;
  if (['xml', 'citext', 'point', 'box', 'polygon', 'path', 'line', 'lseg', 'circle'].includes(baseType))
    return `${expression}::text`;
  // A collation may take different texts for equal; bytes do not.
  if (TEXTS.includes(baseType) && baseType !== 'character') return `${expression} COLLATE "C"`;
  return expression;
}
