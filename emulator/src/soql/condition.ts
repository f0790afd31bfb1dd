import type { HavingClause, WhereClause } from '@jetstreamapp/soql-parser-js';
import { malformed, unexpectedToken } from './errors.ts';
import { parseLiteral } from './literal.ts';
import { path, readFunction } from './operand.ts';
import { readQuery } from './parse.ts';
import type { Condition, Operator } from './syntax.ts';

/**
 * Makes the tree of a condition. The library gives a flat list whose leaves count the parentheses before and after them;
 * the list is turned back into tokens, and these are parsed by Salesforce's rule: AND and OR do not mix without
 * parentheses.
 */
export function parseCondition(soql: string, clause: WhereClause | HavingClause): Condition {
  const tokens = flatten(soql, clause);
  let at = 0;

  function parseList(): Condition {
    const items = [parseOne()];
    let joint: 'AND' | 'OR' | undefined;
    for (let token = tokens[at]; token === 'AND' || token === 'OR'; token = tokens[at]) {
      if (joint !== undefined && token !== joint) throw unexpectedToken(soql, token);
      joint = token;
      at++;
      items.push(parseOne());
    }
    if (items.length === 1) return items[0]!;
    return { kind: joint === 'AND' ? 'and' : 'or', items };
  }

  function parseOne(): Condition {
    const token = tokens[at++];
    if (token === 'NOT') return { kind: 'not', item: parseOne() };
    if (token === '(') {
      const inner = parseList();
      if (tokens[at++] !== ')') throw malformed("expecting a right parentheses, found '<EOF>'");
      return inner;
    }
    if (token === undefined || typeof token === 'string') throw unexpectedToken(soql, token ?? '');
    return token;
  }

  const tree = parseList();
  if (at < tokens.length) throw unexpectedToken(soql, ')');
  return tree;
}

type Token = '(' | ')' | 'AND' | 'OR' | 'NOT' | Condition;
/** The parts of the library's many clause types that we use. */
interface Leaf {
  openParen?: number;
  closeParen?: number;
  field?: string;
  fn?: Parameters<typeof readFunction>[0];
  operator?: string;
  value?: string | string[];
  literalType?: string | string[];
  dateLiteralVariable?: number | number[];
  valueQuery?: Parameters<typeof readQuery>[1] & { sObject?: string };
}

function flatten(soql: string, clause: WhereClause | HavingClause): Token[] {
  const tokens: Token[] = [];
  let node: { left: unknown; operator?: string; right?: unknown } | undefined = clause;
  while (node) {
    const leaf = (node.left ?? {}) as Leaf;
    for (let i = 0; i < (leaf.openParen ?? 0); i++) tokens.push('(');
    if (leaf.field !== undefined || leaf.fn !== undefined) tokens.push(readLeaf(soql, leaf));
    for (let i = 0; i < (leaf.closeParen ?? 0); i++) tokens.push(')');
    const next = node.right as typeof node;
    if (next) {
      // Two conditions side by side: the library lets that pass.
      const operator = node.operator?.toUpperCase();
      if (operator !== 'AND' && operator !== 'OR' && operator !== 'NOT') throw unexpectedToken(soql, leafText(next.left));
      tokens.push(operator);
    }
    node = next;
  }
  return tokens;
}

function leafText(left: unknown): string {
  const leaf = (left ?? {}) as Leaf;
  return leaf.field ?? leaf.fn?.rawValue ?? '';
}

function readLeaf(soql: string, leaf: Leaf): Condition {
  const operand = leaf.fn ? readFunction(leaf.fn) : path(leaf.field!);
  const operator = leaf.operator!.toUpperCase().replace('<>', '!=') as Operator;
  if (leaf.valueQuery) {
    if (operator !== 'IN' && operator !== 'NOT IN') throw unexpectedToken(soql, '(');
    return {
      kind: 'in-query',
      operand,
      negated: operator === 'NOT IN',
      query: readQuery(soql, leaf.valueQuery, leaf.valueQuery.sObject ?? ''),
    };
  }
  const texts = Array.isArray(leaf.value) ? leaf.value : [leaf.value ?? ''];
  const types = leaf.literalType;
  const variables = leaf.dateLiteralVariable;
  const values = texts.map((text, i) =>
    parseLiteral(soql, text, Array.isArray(types) ? types[i] : types, Array.isArray(variables) ? variables[i] : variables),
  );
  const isList = operator === 'IN' || operator === 'NOT IN' || operator === 'INCLUDES' || operator === 'EXCLUDES';
  if (isList !== Array.isArray(leaf.value)) throw unexpectedToken(soql, texts[0] ?? '');
  return { kind: 'compare', operand, operator, values };
}
