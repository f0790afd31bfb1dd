import jsonata from 'jsonata';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { FieldType, FieldValue, Row } from '../model/value.ts';
import { newRow } from '../model/value.ts';
import { type Ast, fieldName } from './ast.ts';
import { compileFast, type Get, NOT_FAST } from './fast.ts';

/**
 * A JSONata expression over one record. Fields are named as the source spells them (`Account.Name` for a parent's field).
 * A field that is null is *absent* to the expression, so that `FirstName & ' ' & LastName` never says "null Smith"; a result
 * that is absent is null.
 */
export interface Expression {
  readonly text: string;
  /** Fields that it reads, or `null` when that cannot be told from its text. */
  readonly reads: readonly string[] | null;
  /** The type of its result as far as its text tells; text otherwise. */
  readonly type: FieldType;
  /** Answers at once where the expression and the values are plain, otherwise by JSONata's own interpreter. */
  evaluate(get: Get, allFields: () => Row): FieldValue | Promise<FieldValue>;
}

/** Syntax error of an expression: what, and at which character (0-based). */
export class ExpressionSyntaxError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.name = 'ExpressionSyntaxError';
    this.position = position;
  }
}

/**
 * @param text  JSONata, without the leading `=`.
 * @throws {ExpressionSyntaxError}
 */
export function compileExpression(text: string, context: { clock: Clock; random: Random }): Expression {
  let interpreter: jsonata.Expression;
  try {
    interpreter = jsonata(text);
  } catch (error) {
    const { message, position } = error as jsonata.JsonataError;
    throw new ExpressionSyntaxError(message, position ?? 0);
  }
  // The engine's clock and randomness, so that a simulated run repeats itself.
  interpreter.registerFunction('millis', () => context.clock.now(), '<:n>');
  interpreter.registerFunction('now', () => new Date(context.clock.now()).toISOString(), '<:s>');
  interpreter.registerFunction('random', () => context.random(), '<:n>');

  const ast = interpreter.ast() as unknown as Ast;
  const reads = fieldsRead(ast);
  const fast = compileFast(ast);

  return {
    text,
    reads,
    type: resultType(ast),
    evaluate(get, allFields) {
      if (fast !== null) {
        const value = fast(get);
        if (value !== NOT_FAST) return value === undefined ? null : value;
      }
      const names = reads ?? Object.keys(allFields());
      return interpreter.evaluate(nested(names, get)).then(plain);
    },
  };
}

/** The record as JSONata's input: null fields left out, `Account.Name` nested under `Account`. */
function nested(names: readonly string[], get: Get): Row {
  const input: { [name: string]: unknown } = {};
  for (const name of names) {
    const value = get(name);
    if (value === undefined || value === null) continue;
    let at = input;
    const parts = name.split('.');
    for (const part of parts.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as typeof at;
    }
    at[parts.at(-1)!] = value;
  }
  return input as Row;
}

/** JSONata's sequences carry hidden properties; values that go on are plain JSON. */
function plain(value: unknown): FieldValue {
  if (value === undefined || value === null || typeof value === 'function') return null;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object') {
    const row = newRow();
    for (const [name, member] of Object.entries(value)) row[name] = plain(member);
    return row;
  }
  return value as FieldValue;
}

/**
 * The fields that an expression reads, or null when it may read others (`$`, `$$`, wildcards, lambdas over the record).
 * A path step with a predicate or a mapping reads relative to something else; then the first name is what it needs of the record.
 */
function fieldsRead(ast: Ast): readonly string[] | null {
  const names = new Set<string>();
  let unknown = false;
  const visit = (node: unknown): void => {
    if (unknown || node === null || typeof node !== 'object') return;
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    const part = node as Ast;
    if (part.type === 'variable' && (part.value === '' || part.value === '$')) unknown = true;
    else if (['wildcard', 'descendant', 'parent', 'transform'].includes(part.type)) unknown = true;
    else if (part.type === 'path') {
      const name = fieldName(part);
      if (name !== null) names.add(name);
      else if (part.steps?.[0]?.type === 'variable' && part.steps[0].value !== '' && part.steps[0].value !== '$')
        part.steps.slice(1).forEach(visit);
      else unknown = true;
    } else if (
      part.type === 'function' &&
      (part.arguments?.length ?? 0) === 0 &&
      !WITHOUT_CONTEXT.has(String(part.procedure?.value))
    ) {
      unknown = true; // `$string()` without an argument takes the whole record
    } else {
      for (const [key, member] of Object.entries(part))
        if (key !== 'type' && key !== 'value' && key !== 'position') visit(member);
    }
  };
  visit(ast);
  return unknown ? null : [...names];
}

const WITHOUT_CONTEXT = new Set(['now', 'millis', 'random']);

const NUMBER_FUNCTIONS = new Set(['number', 'sum', 'average', 'abs', 'round', 'power', 'sqrt', 'random']);
const INTEGER_FUNCTIONS = new Set(['length', 'count', 'floor', 'ceil', 'millis', 'toMillis']);
const BOOLEAN_FUNCTIONS = new Set(['contains', 'boolean', 'not', 'exists']);

function resultType(ast: Ast): FieldType {
  switch (ast.type) {
    case 'number':
      return 'double';
    case 'value':
      return typeof ast.value === 'boolean' ? 'boolean' : 'text';
    case 'binary':
      if (ast.value === '&') return 'text';
      return ['+', '-', '*', '/', '%'].includes(String(ast.value)) ? 'double' : 'boolean';
    case 'unary':
      return ast.value === '-' ? 'double' : 'json';
    case 'condition':
      return ast.then === undefined ? 'text' : resultType(ast.then);
    case 'function': {
      const name = String(ast.procedure?.value);
      if (NUMBER_FUNCTIONS.has(name)) return 'double';
      if (INTEGER_FUNCTIONS.has(name)) return 'integer';
      if (BOOLEAN_FUNCTIONS.has(name)) return 'boolean';
      return 'text';
    }
    default:
      return 'text';
  }
}
