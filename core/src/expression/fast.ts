import type { FieldValue } from '../model/value.ts';
import { type Ast, fieldName } from './ast.ts';

/** A field's value; undefined or null when it is absent. */
export type Get = (field: string) => FieldValue | undefined;

/** "Ask the interpreter": the answer for anything that is not plainly one of the cases below. */
export const NOT_FAST = Symbol('not fast');

type Result = FieldValue | undefined | typeof NOT_FAST;
type Evaluate = (get: Get) => Result;

/**
 * The plain part of JSONata as functions over a record: fields, literals, `&`, arithmetic, comparison, `and`/`or`, `? :` and a
 * few text functions. JSONata's interpreter is asynchronous and some thirty times slower, which three expressions on each of a
 * million rows would turn into minutes. Whatever is not plain (an array, a type error, any other function) is left to the
 * interpreter, so results are always JSONata's own; a property test holds the two against each other.
 *
 * @returns null when the whole expression is one for the interpreter.
 */
export function compileFast(ast: Ast): Evaluate | null {
  switch (ast.type) {
    case 'string':
    case 'number':
      return constant(ast.value as FieldValue);
    case 'value':
      return constant(ast.value as FieldValue);
    case 'path': {
      const name = fieldName(ast);
      if (name === null) return null;
      return (get) => {
        const value = get(name) ?? undefined;
        return typeof value === 'object' ? NOT_FAST : value;
      };
    }
    case 'block':
      return ast.expressions?.length === 1 ? compileFast(ast.expressions[0]!) : null;
    case 'condition':
      return condition(ast);
    case 'binary':
      return binary(ast);
    case 'function':
      return call(ast);
    default:
      return null;
  }
}

function constant(value: FieldValue): Evaluate {
  return () => value;
}

function condition(ast: Ast): Evaluate | null {
  const test = ast.condition && compileFast(ast.condition);
  const then = ast.then && compileFast(ast.then);
  const otherwise = ast.else === undefined ? constantUndefined : compileFast(ast.else);
  if (!test || !then || !otherwise) return null;
  return (get) => {
    const chosen = truth(test(get));
    return chosen === NOT_FAST ? NOT_FAST : chosen ? then(get) : otherwise(get);
  };
}

const constantUndefined: Evaluate = () => undefined;

function truth(value: Result): boolean | typeof NOT_FAST {
  if (value === NOT_FAST || (typeof value === 'object' && value !== null)) return NOT_FAST;
  return Boolean(value); // absent, null, '', 0 and false are false; JSONata agrees
}

type Operator = (left: FieldValue | undefined, right: FieldValue | undefined) => Result;

function binary(ast: Ast): Evaluate | null {
  const left = ast.lhs && compileFast(ast.lhs);
  const right = ast.rhs && compileFast(ast.rhs);
  if (!left || !right) return null;
  if (ast.value === 'and' || ast.value === 'or') {
    const decides = ast.value === 'or';
    return (get) => {
      const first = truth(left(get));
      return first === NOT_FAST || first === decides ? first : truth(right(get));
    };
  }
  const operator = OPERATORS[String(ast.value)];
  if (operator === undefined) return null;
  return (get) => {
    const a = left(get);
    const b = right(get);
    return a === NOT_FAST || b === NOT_FAST ? NOT_FAST : operator(a, b);
  };
}

const OPERATORS: Record<string, Operator> = {
  '&': (a, b) => {
    const left = stringOf(a);
    const right = stringOf(b);
    return left === NOT_FAST || right === NOT_FAST ? NOT_FAST : left + right;
  },
  '+': numeric((a, b) => a + b),
  '-': numeric((a, b) => a - b),
  '*': numeric((a, b) => a * b),
  '/': numeric((a, b) => a / b),
  '%': numeric((a, b) => a % b),
  '=': (a, b) => (a === undefined || b === undefined ? false : isObject(a) || isObject(b) ? NOT_FAST : a === b),
  '!=': (a, b) => (a === undefined || b === undefined ? false : isObject(a) || isObject(b) ? NOT_FAST : a !== b),
  '<': ordered((a, b) => a < b),
  '<=': ordered((a, b) => a <= b),
  '>': ordered((a, b) => a > b),
  '>=': ordered((a, b) => a >= b),
};

function isObject(value: FieldValue): boolean {
  return typeof value === 'object' && value !== null;
}

function numeric(operate: (a: number, b: number) => number): Operator {
  return (a, b) => {
    if (typeof a !== 'number' || typeof b !== 'number') return NOT_FAST;
    const result = operate(a, b);
    return Number.isFinite(result) ? result : NOT_FAST;
  };
}

function ordered(compare: (a: string | number, b: string | number) => boolean): Operator {
  return (a, b) => {
    if (typeof a === 'string' && typeof b === 'string') return compare(a, b);
    if (typeof a === 'number' && typeof b === 'number') return compare(a, b);
    return NOT_FAST;
  };
}

function stringOf(value: FieldValue | undefined): string | typeof NOT_FAST {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value))) return String(value);
  return NOT_FAST; // fractions are rounded to 15 digits by JSONata
}

function call(ast: Ast): Evaluate | null {
  if (ast.procedure?.type !== 'variable') return null;
  const known = FUNCTIONS[String(ast.procedure.value)];
  const given = ast.arguments ?? [];
  if (known === undefined || given.length !== known.length) return null;
  const args = given.map(compileFast);
  if (args.some((arg) => arg === null)) return null;
  return (get) => {
    const first = args[0]!(get);
    if (first === NOT_FAST) return NOT_FAST;
    // Of nothing each of them makes nothing; of what else they are given then, the interpreter judges.
    if (args.length === 1) return first === undefined ? undefined : known(first, undefined);
    const second = args[1]!(get);
    if (second === NOT_FAST || second === undefined || first === undefined) return NOT_FAST;
    return known(first, second);
  };
}

const ASCII = /^[\x20-\x7e]*$/;

/** Each answers only for plain arguments; `length` is the number of arguments it takes. */
const FUNCTIONS: Record<string, (a: unknown, b: unknown) => Result> = {
  uppercase: one((text) => (typeof text === 'string' ? text.toUpperCase() : NOT_FAST)),
  lowercase: one((text) => (typeof text === 'string' ? text.toLowerCase() : NOT_FAST)),
  string: one((value) => stringOf(value as FieldValue)),
  not: one((value) => {
    const bool = truth(value as FieldValue);
    return bool === NOT_FAST ? NOT_FAST : !bool;
  }),
  length: one((text) => (typeof text === 'string' && ASCII.test(text) ? text.length : NOT_FAST)),
  contains: (text, part) => (typeof text === 'string' && typeof part === 'string' ? text.includes(part) : NOT_FAST),
  substringBefore: (text, part) => {
    if (typeof text !== 'string' || typeof part !== 'string') return NOT_FAST;
    const at = text.indexOf(part);
    return at < 0 ? text : text.slice(0, at);
  },
  substringAfter: (text, part) => {
    if (typeof text !== 'string' || typeof part !== 'string') return NOT_FAST;
    const at = text.indexOf(part);
    return at < 0 ? text : text.slice(at + part.length);
  },
};

function one(apply: (value: unknown) => Result): (a: unknown, b: unknown) => Result {
  const taking1 = (value: unknown) => apply(value);
  return taking1;
}
