import { type ColumnKind, kindOf, type Stored } from '../org/table.ts';
import type { FieldDescribe } from '../schema/types.ts';

/** A field's value in its three forms: as stored, in an event's Avro record, and in CometD's JSON. */
export interface ValueForm {
  /** The branch beside `null`. */
  readonly avro: string;
  toEvent(stored: Stored): unknown;
  fromEvent(value: unknown): Stored;
  toJson(value: unknown): unknown;
}

const same = <T>(value: T): T => value;
const asIs = (avro: string): ValueForm => ({ avro, toEvent: same, fromEvent: (value) => value as Stored, toJson: same });
const day = 86_400_000;
const iso = (value: unknown) => new Date(value as number).toISOString();

/** No logical types: dates are longs too, milliseconds at midnight UTC (recorded). Times of day are assumed to be alike. */
const forms: Record<ColumnKind, ValueForm> = {
  id: asIs('string'),
  text: asIs('string'),
  int: asIs('int'),
  double: asIs('double'),
  boolean: { avro: 'boolean', toEvent: (stored) => stored === 1, fromEvent: (value) => (value === true ? 1 : 0), toJson: same },
  datetime: { avro: 'long', toEvent: (stored) => Date.parse(stored as string), fromEvent: iso, toJson: iso },
  date: {
    avro: 'long',
    toEvent: (stored) => Date.parse(`${stored}T00:00:00Z`),
    fromEvent: (value) => iso(value).slice(0, 10),
    toJson: (value) => iso(value).slice(0, 10),
  },
  time: {
    avro: 'long',
    toEvent: (stored) => Date.parse(`1970-01-01T${stored}`),
    fromEvent: (value) => iso((value as number) % day).slice(11),
    toJson: (value) => iso((value as number) % day).slice(11),
  },
};

/** Of the parts of compound fields. */
export const textForm = forms.text;
export const numberForm = forms.double;

export function valueForms(field: FieldDescribe): ValueForm {
  const kind = kindOf(field);
  return forms[kind === 'compound' ? 'text' : kind];
}
