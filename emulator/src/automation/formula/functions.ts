import { normaliseId } from '../../org/ids.ts';
import { addMonths, dateOf, datetimeOf, dayMs, makeDate, msOf, timeMs, timeOf } from './dates.ts';
import { exact, numberText, roundTo } from './numbers.ts';
import { type Cell, FormulaFailure, type FormulaType } from './types.ts';

/** A function whose arguments are all worked out before it is. */
export interface PlainFunction {
  /** What each argument may be; the last one goes for all that follow when `more` is true. */
  readonly takes: readonly (readonly FormulaType[])[];
  /** Fewer will do. */
  readonly least?: number;
  readonly more?: boolean;
  readonly gives: FormulaType | ((types: readonly FormulaType[]) => FormulaType);
  /** Runs on blanks too; else a blank argument gives a blank. */
  readonly blanks?: boolean;
  run(values: readonly Cell[], nowMs: number): Cell;
}

const number: readonly FormulaType[] = ['number'];
const text: readonly FormulaType[] = ['text'];
const dates: readonly FormulaType[] = ['date', 'datetime'];

const numeric = (run: (...values: number[]) => number, count = 1): PlainFunction => ({
  takes: Array.from({ length: count }, () => number),
  gives: 'number',
  run: (values) => exact(run(...(values as number[]))),
});

/** Blank text is text without a character. */
const textual = (
  takes: PlainFunction['takes'],
  gives: FormulaType,
  run: (values: readonly (string | number)[]) => Cell,
  least = takes.length,
): PlainFunction => ({
  takes,
  least,
  gives,
  blanks: true,
  run: (values) => run(values.map((value, i) => (value === null ? (takes[i] === number ? 0 : '') : value) as string | number)),
});

const part = (gives: (at: Date) => number, takes: readonly FormulaType[], read: (value: string) => number): PlainFunction => ({
  takes: [takes],
  gives: 'number',
  run: ([value]) => gives(new Date(read(value as string))),
});
const time: readonly FormulaType[] = ['time'];

const extreme = (pick: (...values: number[]) => number): PlainFunction => ({
  takes: [number],
  more: true,
  gives: 'number',
  run: (values) => pick(...(values as number[])),
});

const pad =
  (join: (value: string, filling: string) => string) =>
  (values: readonly (string | number)[]): Cell => {
    const [value, length, filling = ' '] = values as [string, number, string?];
    if (length <= value.length) return value.slice(0, Math.max(0, length));
    const room = length - value.length;
    return filling === '' ? value : join(value, filling.repeat(Math.ceil(room / filling.length)).slice(0, room));
  };

function textOf(value: Cell, type: FormulaType): Cell {
  if (typeof value === 'number') return numberText(value);
  // `2026-03-04 05:06:07Z`
  if (type === 'datetime') return `${(value as string).slice(0, 19).replace('T', ' ')}Z`;
  return type === 'time' ? (value as string).slice(0, -1) : value;
}

function numberOf(value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw new FormulaFailure(`'${value}' is no number`);
  return number;
}

function datetimeValue(value: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}:\d{2}))?(?:\.\d+)?Z?$/.exec(value);
  const ms = match ? Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}Z`) : Number.NaN;
  return datetimeOf(ms);
}

/** By name ("Formula Operators and Functions by Context"). Those that work out only some of their arguments are elsewhere. */
export const plainFunctions: Readonly<Record<string, PlainFunction>> = {
  negate: numeric((value) => -value),
  '*': numeric((a, b) => a * b, 2),
  '/': numeric((a, b) => {
    if (b === 0) throw new FormulaFailure('division by zero');
    return a / b;
  }, 2),
  '^': numeric((a, b) => a ** b, 2),
  ABS: numeric(Math.abs),
  /** Away from zero, and towards it; the two with M go up and down. */
  CEILING: numeric((value) => Math.sign(value) * Math.ceil(Math.abs(value))),
  FLOOR: numeric((value) => Math.trunc(value)),
  MCEILING: numeric(Math.ceil),
  MFLOOR: numeric(Math.floor),
  EXP: numeric(Math.exp),
  LN: numeric(Math.log),
  LOG: numeric(Math.log10),
  SQRT: numeric(Math.sqrt),
  MOD: numeric((value, divisor) => {
    if (divisor === 0) throw new FormulaFailure('division by zero');
    return value % divisor;
  }, 2),
  ROUND: numeric(roundTo, 2),
  MAX: extreme(Math.max),
  MIN: extreme(Math.min),

  BEGINS: textual([text, text], 'boolean', ([value, start]) => (value as string).startsWith(start as string)),
  CONTAINS: textual([text, text], 'boolean', ([value, inner]) => (value as string).includes(inner as string)),
  FIND: textual(
    [text, text, number],
    'number',
    ([wanted, value, start = 1]) => {
      if (wanted === '' || (start as number) < 1) return 0;
      return (value as string).indexOf(wanted as string, (start as number) - 1) + 1;
    },
    2,
  ),
  LEN: textual([text], 'number', ([value]) => (value as string).length),
  LEFT: textual([text, number], 'text', ([value, n]) => (value as string).slice(0, Math.max(0, n as number))),
  RIGHT: textual([text, number], 'text', ([value, n]) => ((n as number) <= 0 ? '' : (value as string).slice(-(n as number)))),
  MID: textual([text, number, number], 'text', ([value, start, n]) => {
    const from = Math.max(1, start as number) - 1;
    return (value as string).slice(from, from + Math.max(0, n as number));
  }),
  LOWER: textual([text, text], 'text', ([value]) => (value as string).toLowerCase(), 1),
  UPPER: textual([text, text], 'text', ([value]) => (value as string).toUpperCase(), 1),
  TRIM: textual([text], 'text', ([value]) => (value as string).trim()),
  SUBSTITUTE: textual([text, text, text], 'text', ([value, old, fresh]) =>
    old === '' ? value! : (value as string).replaceAll(old as string, () => fresh as string),
  ),
  LPAD: textual(
    [text, number, text],
    'text',
    pad((value, filling) => filling + value),
    2,
  ),
  RPAD: textual(
    [text, number, text],
    'text',
    pad((value, filling) => value + filling),
    2,
  ),
  ISNUMBER: textual([text], 'boolean', ([value]) => (value as string).trim() !== '' && Number.isFinite(Number(value))),
  CASESAFEID: { takes: [text], gives: 'text', run: ([value]) => normaliseId(value as string) ?? value! },
  VALUE: { takes: [text], gives: 'number', run: ([value]) => numberOf(value as string) },
  ISPICKVAL: {
    takes: [['picklist'], text],
    gives: 'boolean',
    blanks: true,
    run: ([value, wanted]) => (value ?? '') === (wanted ?? ''),
  },
  INCLUDES: {
    takes: [['multipicklist'], text],
    gives: 'boolean',
    blanks: true,
    run: ([value, wanted]) => ((value as string | null) ?? '').split(';').includes((wanted as string | null) ?? ''),
  },

  TODAY: { takes: [], gives: 'date', run: (_, nowMs) => dateOf(nowMs) },
  NOW: { takes: [], gives: 'datetime', run: (_, nowMs) => datetimeOf(nowMs) },
  TIMENOW: { takes: [], gives: 'time', run: (_, nowMs) => timeOf(nowMs) },
  DATE: { takes: [number, number, number], gives: 'date', run: (values) => makeDate(...(values as [number, number, number])) },
  DATEVALUE: {
    takes: [['text', 'date', 'datetime']],
    gives: 'date',
    run: ([value]) => datetimeValue(value as string).slice(0, 10),
  },
  DATETIMEVALUE: { takes: [['text', 'date', 'datetime']], gives: 'datetime', run: ([value]) => datetimeValue(value as string) },
  TIMEVALUE: {
    takes: [['text', 'datetime']],
    gives: 'time',
    run([value]) {
      const found = /(\d{2}:\d{2}:\d{2})(\.\d{3})?Z?$/.exec(value as string);
      const ms = found ? timeMs(`${found[1]}${found[2] ?? ''}Z`) : Number.NaN;
      if (Number.isNaN(ms)) throw new FormulaFailure('no such time');
      return timeOf(ms);
    },
  },
  ADDMONTHS: {
    takes: [dates, number],
    gives: ([type]) => type!,
    run: ([value, months]) => addMonths(value as string, months as number),
  },
  YEAR: part((at) => at.getUTCFullYear(), ['date'], msOf),
  MONTH: part((at) => at.getUTCMonth() + 1, ['date'], msOf),
  DAY: part((at) => at.getUTCDate(), ['date'], msOf),
  /** Sunday is the first. */
  WEEKDAY: part((at) => at.getUTCDay() + 1, ['date'], msOf),
  HOUR: part((at) => at.getUTCHours(), time, timeMs),
  MINUTE: part((at) => at.getUTCMinutes(), time, timeMs),
  SECOND: part((at) => at.getUTCSeconds(), time, timeMs),
  MILLISECOND: part((at) => at.getUTCMilliseconds(), time, timeMs),
};

/** `TEXT` writes each type in its own way. */
export const textFunction = (type: FormulaType): PlainFunction => ({
  takes: [['number', 'date', 'datetime', 'time', 'picklist']],
  gives: 'text',
  run: ([value]) => textOf(value!, type),
});

const days = (value: Cell) => (value as number) * dayMs;

/** Adding and subtracting mean something else for dates. By sign and types. */
export const sums: Readonly<Record<string, { gives: FormulaType; run: (a: Cell, b: Cell) => Cell }>> = {
  'number + number': { gives: 'number', run: (a, b) => exact((a as number) + (b as number)) },
  'number - number': { gives: 'number', run: (a, b) => exact((a as number) - (b as number)) },
  'date + number': { gives: 'date', run: (a, b) => dateOf(msOf(a as string) + days(Math.trunc(b as number))) },
  'number + date': { gives: 'date', run: (a, b) => dateOf(msOf(b as string) + days(Math.trunc(a as number))) },
  'date - number': { gives: 'date', run: (a, b) => dateOf(msOf(a as string) - days(Math.trunc(b as number))) },
  'date - date': { gives: 'number', run: (a, b) => (msOf(a as string) - msOf(b as string)) / dayMs },
  'datetime + number': { gives: 'datetime', run: (a, b) => datetimeOf(msOf(a as string) + days(b)) },
  'number + datetime': { gives: 'datetime', run: (a, b) => datetimeOf(msOf(b as string) + days(a)) },
  'datetime - number': { gives: 'datetime', run: (a, b) => datetimeOf(msOf(a as string) - days(b)) },
  'datetime - datetime': { gives: 'number', run: (a, b) => exact((msOf(a as string) - msOf(b as string)) / dayMs) },
  'time + number': { gives: 'time', run: (a, b) => timeOf(timeMs(a as string) + (b as number)) },
  'time - number': { gives: 'time', run: (a, b) => timeOf(timeMs(a as string) - (b as number)) },
  'time - time': { gives: 'number', run: (a, b) => (timeMs(a as string) - timeMs(b as string) + dayMs) % dayMs },
};
