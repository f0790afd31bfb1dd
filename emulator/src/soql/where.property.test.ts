import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records } from '../org/testing.ts';
import type { Values } from '../org/types.ts';

// Whatever condition a client sends, the rows that come back are those for which it holds by SOQL's rules: two-valued,
// case-blind, null unequal to everything but null. The rules are written down here a second time, without SQL.

type Row = {
  Text__c: string | null;
  Loose__c: string | null;
  Number__c: number | null;
  Flag__c: boolean;
  Day__c: string | null;
  Colours__c: string | null;
};
type Test = { soql: string; holds: (row: Row) => boolean };

const letters = fc.constantFrom('a', 'A', 'b', 'é', 'É', '%', '_', "'", '\\', '"', ' ');
const word = fc
  .array(letters, { maxLength: 3 })
  .map((parts) => parts.join('').trim())
  .map((text) => (text === '' ? null : text));
const number = fc.option(fc.constantFrom(-1.5, 0, 1, 2, 10), { freq: 3 });
const day = fc.option(fc.constantFrom('2024-05-15', '2024-05-20', '2024-05-21', '2024-05-22', '2024-05-23'), { freq: 3 });
const colours = fc.option(
  fc.subarray(['red', 'green', 'blue'], { minLength: 1 }).map((list) => list.join(';')),
  { freq: 3 },
);
const row: fc.Arbitrary<Row> = fc.record({
  Text__c: word,
  Loose__c: word,
  Number__c: number,
  Flag__c: fc.boolean(),
  Day__c: day,
  Colours__c: colours,
});

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const same = (a: string, b: string) => a.toUpperCase() === b.toUpperCase();
const compare = (operator: string, order: number): boolean =>
  ({ '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 })[operator]!;
const orderOf = <T>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

const textField = fc.constantFrom('Text__c' as const, 'Loose__c' as const);
const ordering = fc.constantFrom('<', '<=', '>', '>=');
const leaf: fc.Arbitrary<Test> = fc.oneof(
  fc.tuple(textField, fc.constantFrom('=', '!='), word).map(([field, operator, value]) => ({
    soql: `${field} ${operator} ${value === null ? 'null' : quote(value)}`,
    holds: (r: Row) => (operator === '=') === (value === null ? r[field] === null : r[field] !== null && same(r[field], value)),
  })),
  fc
    .tuple(textField, fc.constantFrom('IN', 'NOT IN'), fc.array(word, { minLength: 1, maxLength: 3 }))
    .map(([field, operator, values]) => ({
      soql: `${field} ${operator} (${values.map((value) => (value === null ? 'null' : quote(value))).join(', ')})`,
      holds: (r: Row) =>
        (operator === 'IN') ===
        values.some((value) => (value === null ? r[field] === null : r[field] !== null && same(r[field], value))),
    })),
  fc
    .tuple(textField, ordering, word)
    .filter(([, , value]) => value !== null)
    .map(([field, operator, value]) => ({
      soql: `${field} ${operator} ${quote(value!)}`,
      holds: (r: Row) => r[field] !== null && compare(operator, orderOf(r[field].toUpperCase(), value!.toUpperCase())),
    })),
  fc
    .tuple(textField, fc.array(fc.constantFrom('a', 'É', '%', '_', '\\%', '\\_', 'b'), { minLength: 1, maxLength: 4 }))
    .map(([field, parts]) => ({
      soql: `${field} LIKE '${parts.join('')}'`,
      holds: (r: Row) => {
        const pattern = parts.map((part) => (part === '%' ? '.*' : part === '_' ? '.' : part.replace('\\', '')));
        return r[field] !== null && new RegExp(`^${pattern.join('')}$`, 'isu').test(r[field]);
      },
    })),
  fc.tuple(fc.constantFrom('=', '!='), number).map(([operator, value]) => ({
    soql: `Number__c ${operator} ${value}`,
    holds: (r: Row) => (operator === '=') === (r.Number__c === value),
  })),
  fc.tuple(ordering, fc.constantFrom(-1.5, 0, 1)).map(([operator, value]) => ({
    soql: `Number__c ${operator} ${value}`,
    holds: (r: Row) => r.Number__c !== null && compare(operator, orderOf(r.Number__c, value)),
  })),
  fc.tuple(fc.constantFrom('=', '!='), fc.boolean()).map(([operator, value]) => ({
    soql: `Flag__c ${operator} ${String(value).toUpperCase()}`,
    holds: (r: Row) => (operator === '=') === (r.Flag__c === value),
  })),
  fc
    .tuple(ordering, day)
    .filter(([, value]) => value !== null)
    .map(([operator, value]) => ({
      soql: `Day__c ${operator} ${value}`,
      holds: (r: Row) => r.Day__c !== null && compare(operator, orderOf(r.Day__c, value!)),
    })),
  // The clock says Wednesday the 22nd; LAST_N_DAYS takes today in.
  fc
    .constantFrom<[string, string, string]>(
      ['TODAY', '2024-05-22', '2024-05-23'],
      ['LAST_N_DAYS:1', '2024-05-21', '2024-05-23'],
      ['LAST_WEEK', '2024-05-12', '2024-05-19'],
    )
    .chain(([name, start, end]) =>
      fc.constantFrom('=', '!=', '<', '<=', '>', '>=').map((operator) => ({
        soql: `Day__c ${operator} ${name}`,
        holds: (r: Row) => {
          if (r.Day__c === null) return operator === '!=';
          const within = r.Day__c >= start && r.Day__c < end;
          return {
            '=': within,
            '!=': !within,
            '<': r.Day__c < start,
            '<=': r.Day__c < end,
            '>': r.Day__c >= end,
            '>=': r.Day__c >= start,
          }[operator]!;
        },
      })),
    ),
  fc
    .tuple(
      fc.constantFrom('INCLUDES', 'EXCLUDES'),
      fc.array(fc.subarray(['red', 'green', 'blue'], { minLength: 1 }), { minLength: 1, maxLength: 2 }),
    )
    .map(([operator, sets]) => ({
      soql: `Colours__c ${operator} (${sets.map((set) => quote(set.join(';'))).join(',')})`,
      holds: (r: Row) =>
        (operator === 'INCLUDES') === sets.some((set) => set.every((colour) => r.Colours__c?.split(';').includes(colour))),
    })),
);

const condition = fc
  .letrec<{ tree: Test; list: Test; not: Test }>((tie) => ({
    tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('list'), tie('not')),
    list: fc.tuple(fc.constantFrom('AND', 'OR'), fc.array(tie('tree'), { minLength: 2, maxLength: 3 })).map(([joint, parts]) => ({
      soql: `(${parts.map((part) => part.soql).join(` ${joint} `)})`,
      holds: (r: Row) => (joint === 'AND' ? parts.every((part) => part.holds(r)) : parts.some((part) => part.holds(r))),
    })),
    not: tie('tree').map((part) => ({
      soql: `(NOT ${part.soql.startsWith('(') ? part.soql : `(${part.soql})`})`,
      holds: (r: Row) => !part.holds(r),
    })),
  }))
  .tree // The parser loses one of three NOTs in a row; such queries are refused.
  .filter(({ soql }) => !/NOT[\s(]+NOT[\s(]+NOT/.test(soql));

test(`a condition finds the rows for which it holds, and no others ${evidence('assumed', 'SOQL Reference, WHERE; nulls with != and NOT from common knowledge')}`, () => {
  const { org } = createTestOrg();
  fc.assert(
    fc.property(fc.array(row, { maxLength: 12 }), fc.array(condition, { minLength: 1, maxLength: 5 }), (rows, conditions) => {
      const transaction = org.begin();
      const ids = rows.map((values, i) => transaction.insert('Thing__c', { Name: `n${i}`, ...values } as Values).id);
      transaction.commit();
      try {
        for (const { soql, holds } of conditions) {
          const found = records(org, `SELECT Id FROM Thing__c WHERE ${soql} ORDER BY Id`).map((record) => record.Id);
          expect(found, soql).toEqual(ids.filter((_, i) => holds(rows[i]!)));
        }
      } finally {
        org.write((t) => t.purge('Thing__c', ids));
      }
    }),
    { numRuns: 100 },
  );
});

test(`pages by keyset give every row once, in order, however many share a stamp ${evidence('documented', 'SOQL Reference, ORDER BY')}`, () => {
  const { org } = createTestOrg();
  const stamp = (second: number) => `2024-05-01T00:00:0${second}.000Z`;
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 7 }),
      (seconds, limit) => {
        org.load(
          'Thing__c',
          seconds.map((second) => ({ Name: 'x', SystemModstamp: stamp(second) })),
        );
        const all = records(org, 'SELECT Id, SystemModstamp FROM Thing__c').sort((a, b) =>
          orderOf(`${a.SystemModstamp}${a.Id}`, `${b.SystemModstamp}${b.Id}`),
        );
        const seen: unknown[] = [];
        let after = '';
        for (;;) {
          const soql = `SELECT Id, SystemModstamp FROM Thing__c WHERE SystemModstamp >= 2024-05-01T00:00:00Z${after} ORDER BY SystemModstamp, Id LIMIT ${limit}`;
          const page = records(org, soql);
          seen.push(...page.map((record) => record.Id));
          if (page.length < limit) break;
          const last = page.at(-1)!;
          const time = String(last.SystemModstamp).replace('+0000', 'Z');
          after = ` AND (SystemModstamp > ${time} OR (SystemModstamp = ${time} AND Id > '${last.Id}'))`;
        }
        expect(seen).toEqual(all.map((record) => record.Id));
        org.write((t) =>
          t.purge(
            'Thing__c',
            all.map((record) => record.Id as string),
          ),
        );
      },
    ),
    { numRuns: 15 },
  );
});
