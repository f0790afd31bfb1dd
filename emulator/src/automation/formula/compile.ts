import { type PlainFunction, plainFunctions, sums, textFunction } from './functions.ts';
import { type Cell, type Compiled, type Expression, FormulaError, type FormulaType, type Situation } from './types.ts';

/** Where names lead. */
export interface Names {
  /** @throws {FormulaError} when there is no such field. @param prior  Its value before the save. */
  field(path: string, prior: boolean): Compiled;
  /** Absent where a formula knows of no save. */
  isNew?: Compiled;
}

/** @throws {FormulaError} */
export function compile(expression: Expression, names: Names): Compiled {
  switch (expression.kind) {
    case 'literal':
      return { type: expression.type, work: () => expression.value };
    case 'field':
      return names.field(expression.path, false);
    case 'call':
      return compileCall(expression.name, expression.parts, names);
  }
}

type Call = (name: string, parts: readonly Compiled[]) => Compiled;

/** Functions that work out no more of their arguments than they need, or take any type. */
const special: Readonly<Record<string, Call>> = {
  IF(name, parts) {
    count(name, parts, 3, 3);
    check(name, parts[0]!, ['boolean']);
    const type = commonType(name, [parts[1]!, parts[2]!]);
    const [test, yes, no] = parts.map(({ work }) => work) as [Work, Work, Work];
    return { type, work: (situation) => (test(situation) === true ? yes(situation) : no(situation)) };
  },
  AND: junction((values) => (situation) => values.every((value) => value(situation) === true)),
  OR: junction((values) => (situation) => values.some((value) => value(situation) === true)),
  NOT(name, parts) {
    count(name, parts, 1, 1);
    check(name, parts[0]!, ['boolean']);
    const { work } = parts[0]!;
    return { type: 'boolean', work: (situation) => work(situation) !== true };
  },
  CASE(name, parts) {
    if (parts.length < 4 || parts.length % 2 === 1) {
      throw new FormulaError(
        `Incorrect number of parameters for function 'CASE()'. An even number from 4 on was expected, received ${parts.length}`,
      );
    }
    const [subject, ...rest] = parts as [Compiled, ...Compiled[]];
    const otherwise = rest.pop()!;
    const values = rest.filter((_, i) => i % 2 === 0);
    const results = rest.filter((_, i) => i % 2 === 1);
    const wanted: FormulaType = subject.type === 'picklist' ? 'text' : subject.type;
    for (const value of values) check(name, value, [wanted]);
    const type = commonType(name, [...results, otherwise]);
    const work: Work = (situation) => {
      const actual = subject.work(situation);
      const found = values.findIndex((value) => value.work(situation) === actual);
      return (results[found] ?? otherwise).work(situation);
    };
    return { type, work };
  },
  ISBLANK: blankTest,
  ISNULL: blankTest,
  BLANKVALUE: blankValue,
  NULLVALUE: blankValue,
  TEXT(name, parts) {
    count(name, parts, 1, 1);
    return plain(name, textFunction(parts[0]!.type), parts);
  },
  '+': sum,
  '-': sum,
  '&': concatenation,
  '=': (name, parts) => equality(name, parts, true),
  '<>': (name, parts) => equality(name, parts, false),
  '<': ordering((a, b) => a < b),
  '<=': ordering((a, b) => a <= b),
  '>': ordering((a, b) => a > b),
  '>=': ordering((a, b) => a >= b),
};

type Work = (situation: Situation) => Cell;

function compileCall(name: string, parts: readonly Expression[], names: Names): Compiled {
  if (name === 'ISNEW' || name === 'ISCHANGED' || name === 'PRIORVALUE') return compileSave(name, parts, names);
  const call = Object.hasOwn(special, name) ? special[name] : undefined;
  const known = Object.hasOwn(plainFunctions, name) ? plainFunctions[name] : undefined;
  if (!call && !known) throw new FormulaError(`Unknown function ${name}: this org does not know it`);
  const compiled = parts.map((part) => compile(part, names));
  return call ? call(name, compiled) : plain(name, known!, compiled);
}

/** What only a rule can ask, which is there when a record is saved. */
function compileSave(name: string, parts: readonly Expression[], names: Names): Compiled {
  const { isNew } = names;
  if (!isNew) throw new FormulaError(`Function ${name} may not be used in this type of formula`);
  count(name, parts, name === 'ISNEW' ? 0 : 1, name === 'ISNEW' ? 0 : 1);
  if (name === 'ISNEW') return isNew;
  const field = parts[0]!;
  if (field.kind !== 'field') throw new FormulaError(`Function ${name} takes a field`);
  const now = names.field(field.path, false);
  const prior = names.field(field.path, true);
  // A new record had no other values: the same are given.
  const before: Work = (situation) => (isNew.work(situation) === true ? now : prior).work(situation);
  if (name === 'PRIORVALUE') return { type: now.type, work: before };
  return { type: 'boolean', work: (situation) => now.work(situation) !== before(situation) };
}

function plain(name: string, known: PlainFunction, parts: readonly Compiled[]): Compiled {
  count(name, parts, known.least ?? known.takes.length, known.more ? Number.POSITIVE_INFINITY : known.takes.length);
  for (const [i, part] of parts.entries()) check(name, part, known.takes[Math.min(i, known.takes.length - 1)]!);
  const types = parts.map(({ type }) => type);
  const work: Work = (situation) => {
    const values = parts.map((part) => part.work(situation));
    if (!known.blanks && values.includes(null)) return null;
    const value = known.run(values, situation.nowMs);
    return value === '' ? null : value;
  };
  return { type: typeof known.gives === 'function' ? known.gives(types) : known.gives, work };
}

function junction(join: (values: readonly Work[]) => Work): Call {
  return (name, parts) => {
    count(name, parts, 1, Number.POSITIVE_INFINITY);
    for (const part of parts) check(name, part, ['boolean']);
    return { type: 'boolean', work: join(parts.map(({ work }) => work)) };
  };
}

function blankTest(name: string, parts: readonly Compiled[]): Compiled {
  count(name, parts, 1, 1);
  const { work } = parts[0]!;
  return { type: 'boolean', work: (situation) => work(situation) === null };
}

function blankValue(name: string, parts: readonly Compiled[]): Compiled {
  count(name, parts, 2, 2);
  const type = commonType(name, parts);
  const [value, instead] = parts as [Compiled, Compiled];
  return { type, work: (situation) => value.work(situation) ?? instead.work(situation) };
}

function sum(name: string, parts: readonly Compiled[]): Compiled {
  const [a, b] = parts as [Compiled, Compiled];
  const types = [a, b].map(({ type }) => (type === 'blank' ? 'number' : type));
  if (name === '+' && types.every((type) => type === 'text')) return concatenation(name, parts);
  const key = `${types[0]} ${name} ${types[1]}`;
  const known = Object.hasOwn(sums, key) ? sums[key] : undefined;
  if (!known) throw wrongType(name, ['number', 'date', 'datetime'], types.find((type) => type !== 'number') ?? 'number');
  const work: Work = (situation) => {
    const [x, y] = [a.work(situation), b.work(situation)];
    return x === null || y === null ? null : known.run(x, y);
  };
  return { type: known.gives, work };
}

function concatenation(name: string, parts: readonly Compiled[]): Compiled {
  for (const part of parts) check(name, part, ['text']);
  const [a, b] = parts as [Compiled, Compiled];
  return { type: 'text', work: (situation) => `${a.work(situation) ?? ''}${b.work(situation) ?? ''}` || null };
}

const comparable: readonly FormulaType[] = ['number', 'text', 'boolean', 'date', 'datetime', 'time'];
const ordered: readonly FormulaType[] = ['number', 'date', 'datetime', 'time'];

function equality(name: string, parts: readonly Compiled[], wanted: boolean): Compiled {
  for (const part of parts) check(name, part, comparable);
  commonType(name, parts);
  const [a, b] = parts as [Compiled, Compiled];
  return { type: 'boolean', work: (situation) => (a.work(situation) === b.work(situation)) === wanted };
}

function ordering(test: (a: string | number, b: string | number) => boolean): Call {
  return (name, parts) => {
    for (const part of parts) check(name, part, ordered);
    commonType(name, parts);
    const [a, b] = parts as [Compiled, Compiled];
    const work: Work = (situation) => {
      const [x, y] = [a.work(situation), b.work(situation)];
      return x !== null && y !== null && test(x as string | number, y as string | number);
    };
    return { type: 'boolean', work };
  };
}

function commonType(name: string, parts: readonly Compiled[]): FormulaType {
  const types = parts.map(({ type }) => type).filter((type) => type !== 'blank');
  const [first = 'blank'] = types;
  const other = types.find((type) => type !== first);
  if (other !== undefined) throw wrongType(name, [first], other);
  // The value of a picklist can be asked for, but no formula yields one.
  if (first === 'picklist' || first === 'multipicklist') throw wrongType(name, ['text'], first);
  return first;
}

function check(name: string, { type }: Compiled, takes: readonly FormulaType[]): void {
  if (type !== 'blank' && !takes.includes(type)) throw wrongType(name, takes, type);
}

function count(name: string, parts: readonly unknown[], min: number, max: number): void {
  if (parts.length >= min && parts.length <= max) return;
  const expected = parts.length < min ? min : max;
  throw new FormulaError(
    `Incorrect number of parameters for function '${name}()'. Expected ${expected}, received ${parts.length}`,
  );
}

function wrongType(name: string, expected: readonly FormulaType[], received: FormulaType): FormulaError {
  const what = /^[A-Z]/.test(name) ? `function '${name}()'` : `operator '${name === 'negate' ? '-' : name}'`;
  return new FormulaError(`Incorrect parameter type for ${what}. Expected ${expected.join(', ')}, received ${received}`);
}
