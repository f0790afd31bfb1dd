import { readTokens, type Token } from './tokens.ts';
import { type Expression, FormulaError } from './types.ts';

/** Looser ones first; operators of one line bind alike, from left to right ("Formula Operators and Functions"). */
const levels: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['=', '==', '<>', '!='],
  ['<', '<=', '>', '>='],
  ['&'],
  ['+', '-'],
  ['*', '/'],
  ['^'],
];
const synonyms: Readonly<Record<string, string>> = { '==': '=', '!=': '<>', '&&': 'AND', '||': 'OR', '!': 'NOT' };

/** So deep may a formula nest: a bound for the stack, far beyond the 3,900 characters that Salesforce allows. */
const depthMax = 200;

/** @throws {FormulaError} */
export function parseFormula(formula: string): Expression {
  const tokens = readTokens(formula);
  let at = 0;
  let depth = 0;
  const sign = () => {
    const token = tokens[at]!;
    return token.kind === 'sign' ? token.sign : undefined;
  };

  function expect(wanted: string): void {
    if (sign() !== wanted) throw unexpected(tokens[at]!, `'${wanted}'`);
    at++;
  }

  function level(i: number): Expression {
    const operators = levels[i];
    if (!operators) return unary();
    let left = level(i + 1);
    for (let found = sign(); found !== undefined && operators.includes(found); found = sign()) {
      at++;
      left = { kind: 'call', name: synonyms[found] ?? found, parts: [left, level(i + 1)] };
    }
    return left;
  }

  function unary(): Expression {
    const found = sign();
    if (found !== '-' && found !== '+' && found !== '!') return one();
    at++;
    const part = nested(unary);
    if (found === '+') return part;
    return { kind: 'call', name: found === '-' ? 'negate' : 'NOT', parts: [part] };
  }

  function one(): Expression {
    const token = tokens[at]!;
    if (token.kind === 'number') {
      at++;
      return { kind: 'literal', value: token.value, type: 'number' };
    }
    if (token.kind === 'text') {
      at++;
      return { kind: 'literal', value: token.value === '' ? null : token.value, type: 'text' };
    }
    if (token.kind === 'name') {
      at++;
      return named(token.name);
    }
    if (sign() !== '(') throw unexpected(token, 'a value');
    at++;
    const inner = nested(() => level(0));
    expect(')');
    return inner;
  }

  function named(name: string): Expression {
    const upper = name.toUpperCase();
    if (sign() === '(') {
      at++;
      return { kind: 'call', name: upper, parts: list() };
    }
    if (upper === 'TRUE' || upper === 'FALSE') return { kind: 'literal', value: upper === 'TRUE', type: 'boolean' };
    if (upper === 'NULL') return { kind: 'literal', value: null, type: 'blank' };
    return { kind: 'field', path: name };
  }

  function list(): Expression[] {
    const parts: Expression[] = [];
    if (sign() !== ')') {
      parts.push(nested(() => level(0)));
      while (sign() === ',') {
        at++;
        parts.push(nested(() => level(0)));
      }
    }
    expect(')');
    return parts;
  }

  function nested<T>(read: () => T): T {
    if (++depth > depthMax) throw new FormulaError('Formula is nested too deeply');
    const result = read();
    depth--;
    return result;
  }

  const expression = level(0);
  if (tokens[at]!.kind !== 'end') throw unexpected(tokens[at]!, 'an operator');
  return expression;
}

function unexpected(token: Token, wanted: string): FormulaError {
  if (token.kind === 'end') return new FormulaError(`Syntax error. Missing ${wanted}`);
  const found = token.kind === 'sign' ? token.sign : token.kind === 'name' ? token.name : String(token.value);
  return new FormulaError(`Syntax error. Found '${found}' at ${token.at + 1} where ${wanted} was expected`);
}
