import fc from 'fast-check';
import jsonata from 'jsonata';
import { expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { Row } from '../model/value.ts';
import { compileExpression } from './expression.ts';

const context = { clock: systemClock, random: () => 0.5 };

const literal = fc.oneof(
  fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text)),
  fc.integer({ min: -50, max: 50 }).map((n) => (n < 0 ? `(${n})` : String(n))),
  fc.constantFrom('true', 'false', 'null', '1.5', '0.1'),
);
const field = fc.constantFrom('A', 'B', 'C', 'P.Name');
const expression = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    field,
    literal,
    fc
      .tuple(tie('any'), fc.constantFrom('&', '+', '-', '*', '/', '%', '=', '!=', '<', '<=', '>', '>=', 'and', 'or'), tie('any'))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc
      .tuple(fc.constantFrom('uppercase', 'lowercase', 'string', 'not', 'length', 'trim'), tie('any'))
      .map(([f, a]) => `$${f}(${a})`),
    fc
      .tuple(fc.constantFrom('contains', 'substringBefore', 'substringAfter'), tie('any'), tie('any'))
      .map(([f, a, b]) => `$${f}(${a}, ${b})`),
  ),
})).any;
const value = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 5 }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
);
const record = fc.record({ A: value, B: value, C: value, 'P.Name': value });

// A mapping means what JSONata says it means, however it is run.
test('the fast path agrees with the interpreter on every expression and record, errors included', () =>
  fc.assert(
    fc.asyncProperty(expression, record, async (text, row) => {
      const input: Record<string, unknown> = {};
      for (const name of ['A', 'B', 'C'] as const) if (row[name] !== null) input[name] = row[name];
      if (row['P.Name'] !== null) input.P = { Name: row['P.Name'] };
      const outcome = async (evaluate: () => unknown) => {
        try {
          return { value: JSON.stringify((await evaluate()) ?? null) };
        } catch (error) {
          return { error: (error as { code: string }).code };
        }
      };
      const ours = await outcome(() =>
        compileExpression(text, context).evaluate(
          (name) => (row as Row)[name],
          () => row as Row,
        ),
      );
      const theirs = await outcome(() => jsonata(text).evaluate(input));
      expect(ours).toEqual(theirs);
    }),
    { numRuns: 3000 },
  ));

test.each([
  ["FirstName & ' ' & LastName", ['FirstName', 'LastName'], 'text'],
  ['Account.Name', ['Account.Name'], 'text'],
  ['Amount * 1.2', ['Amount'], 'double'],
  ["$exists(Email) ? 'yes' : 'no'", ['Email'], 'text'],
  ['$string()', null, 'text'],
  ['$', null, 'text'],
  ['$keys($$)', null, 'text'],
  ['$now()', [], 'text'],
  ['Amount > 10', ['Amount'], 'boolean'],
])('what %s reads and yields is told from its text', (text, reads, type) => {
  const compiled = compileExpression(text, context);
  expect(compiled.reads).toEqual(reads);
  expect(compiled.type).toBe(type);
});

test('a null field is absent and an absent result is null', async () => {
  const run = (text: string, row: Row) =>
    compileExpression(text, context).evaluate(
      (name) => row[name],
      () => row,
    );
  expect(await run("FirstName & ' ' & LastName", { FirstName: null, LastName: 'Smith' })).toBe(' Smith');
  expect(await run('Missing', { A: 1 })).toBeNull();
  expect(await run('$', { A: 1, 'P.N': 2, Z: null })).toEqual({ A: 1, P: { N: 2 } });
});
