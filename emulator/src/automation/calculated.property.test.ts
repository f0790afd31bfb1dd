import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTestOrg, records } from '../org/testing.ts';
import { type Org, SalesforceError, type Transaction, type Values } from '../org/types.ts';
import { createAutomation } from './automation.ts';

// However records are written, and in whatever transactions, a roll-up is what a query would count and a formula is its
// function of the values as they are: else the emulator itself would make differences that a sync is blamed for (P1).

type Step =
  | { do: 'insert' | 'update'; record: number; parent: number; number: number | null; text: string }
  | { do: 'delete' | 'undelete' | 'purge'; record: number }
  | { do: 'parent' | 'merge'; record: number; parent: number };
type Script = { steps: Step[]; end: 'commit' | 'rollback' }[];

const index = fc.integer({ min: 0, max: 5 });
const number = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -99_999, max: 99_999 }).map((n) => n / 100),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('insert' as const),
      record: index,
      parent: index,
      number,
      text: fc.constantFrom('in', 'out'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      record: index,
      parent: index,
      number,
      text: fc.constantFrom('in', 'out'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'undelete' as const, 'purge' as const), record: index }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('parent' as const, 'merge' as const), record: index, parent: index }) },
);
const script: fc.Arbitrary<Script> = fc.array(
  fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 6 }),
    end: fc.oneof(
      { weight: 4, arbitrary: fc.constant('commit' as const) },
      { weight: 1, arbitrary: fc.constant('rollback' as const) },
    ),
  }),
  { maxLength: 10 },
);

function prepare(): Org {
  const { org } = createTestOrg();
  const { rollUps, formulas } = createAutomation(org);
  const things = { object: 'Thing__c', child: 'Thing__c', reference: 'Master__c', summarized: 'Number__c' };
  const ofAccount = { ...things, object: 'Account', reference: 'Account__c' };
  formulas.define({ object: 'Thing__c', field: 'Net__c', type: 'number', formula: 'Number__c * 0.9 - 1' });
  rollUps.define({ ...ofAccount, field: 'Count__c', operation: 'count' });
  rollUps.define({ ...ofAccount, field: 'Sum__c', operation: 'sum', where: "Text__c = 'in'" });
  rollUps.define({ ...ofAccount, field: 'Net__c', operation: 'sum', summarized: 'Net__c' });
  rollUps.define({ ...things, field: 'Parts__c', operation: 'count' });
  rollUps.define({ ...things, field: 'Least__c', operation: 'min', where: "Text__c = 'in'" });
  rollUps.define({ ...things, field: 'Most__c', operation: 'max' });
  // What sums up sums.
  rollUps.define({ ...ofAccount, field: 'Parts__c', operation: 'sum', summarized: 'Parts__c' });
  formulas.define({
    object: 'Thing__c',
    field: 'Above__c',
    type: 'text',
    formula: 'Account__r.Name & TEXT(Account__r.Sum__c) & Master__r.Name & TEXT(Number__c)',
  });
  return org;
}

/** Roll-ups of every living parent, told by the fields that they follow from. */
function check(org: Org): void {
  const things = records(
    org,
    'SELECT Id, Name, Account__c, Master__c, Number__c, Text__c, Net__c, Parts__c, Least__c, Most__c, Above__c FROM Thing__c',
  );
  // A parent may lie in the recycle bin, whose child was brought back alone.
  const parents = new Map(
    ['SELECT Id, Name FROM Thing__c', 'SELECT Id, Name, Sum__c FROM Account']
      .flatMap((soql) => records(org, soql, { all: true }))
      .map((row) => [row.Id, row]),
  );
  const accounts = records(org, 'SELECT Id, Name, Count__c, Sum__c, Net__c, Parts__c FROM Account');
  const numbers = (rows: Record<string, unknown>[], field: string) =>
    rows.map((row) => row[field]).filter((value) => value !== null) as number[];
  const sum = (values: number[]) => Math.round(values.reduce((total, value) => total + value, 0) * 100) / 100 + 0;
  for (const account of accounts) {
    const children = things.filter((thing) => thing.Account__c === account.Id);
    const expected = {
      Count__c: children.length,
      Sum__c: sum(
        numbers(
          children.filter(({ Text__c }) => Text__c === 'in'),
          'Number__c',
        ),
      ),
      Net__c: sum(numbers(children, 'Net__c')),
      Parts__c: sum(numbers(children, 'Parts__c')),
    };
    expect(account).toMatchObject(expected);
    const queried = org.query(`SELECT COUNT() FROM Thing__c WHERE Account__c = '${account.Id}'`);
    expect(account.Count__c).toBe(queried.totalSize);
  }
  for (const thing of things) {
    const parts = things.filter((part) => part.Master__c === thing.Id);
    const least = numbers(
      parts.filter(({ Text__c }) => Text__c === 'in'),
      'Number__c',
    );
    const most = numbers(parts, 'Number__c');
    const account = parents.get(thing.Account__c);
    const master = parents.get(thing.Master__c);
    const value = thing.Number__c as number | null;
    expect(thing).toMatchObject({
      Parts__c: parts.length,
      Least__c: least.length === 0 ? null : Math.min(...least),
      Most__c: most.length === 0 ? null : Math.max(...most),
      Above__c: `${account?.Name ?? ''}${account?.Sum__c ?? 0}${master?.Name ?? ''}${value ?? 0}`,
    });
    expect(thing.Net__c).toBeCloseTo((value ?? 0) * 0.9 - 1, 1);
  }
}

test('roll-ups equal what a query counts, formulas what they say, after any writes of any transactions', () =>
  fc.assert(
    fc.property(script, fc.boolean(), (transactions, interleaved) => {
      const org = prepare();
      const accounts = org.write((t) => ['A', 'B', 'C'].map((Name) => t.insert('Account', { Name }).id));
      const ids: string[] = [];
      let other: Transaction | undefined;
      for (const { steps, end } of transactions) {
        const transaction = org.begin();
        for (const [i, one] of steps.entries()) {
          // Every other step is another transaction's, whose locks are in the way.
          if (interleaved && i % 2 === 1) other ??= org.begin();
          const by = other && i % 2 === 1 ? other : transaction;
          tryStep(by, one, ids, accounts);
        }
        for (const open of [transaction, other]) {
          try {
            if (end === 'commit') open?.commit();
            else open?.rollback();
          } catch (error) {
            if (!(error instanceof SalesforceError)) throw error;
          }
        }
        other = undefined;
        check(org);
      }
      org.close();
    }),
    { numRuns: 60 },
  ));

function tryStep(t: Transaction, step: Step, ids: string[], accounts: readonly string[]): void {
  const id = ids[step.record % Math.max(1, ids.length)] ?? '';
  const values = (): Values => {
    const { parent, number, text } = step as Extract<Step, { do: 'insert' | 'update' }>;
    const account = accounts[parent % 4] ?? null;
    return { Name: 'x', Number__c: number, Text__c: text, Account__c: account };
  };
  try {
    if (step.do === 'insert') ids.push(t.insert('Thing__c', { ...values(), ...(id !== '' && { Master__c: id }) }).id);
    else if (step.do === 'update') t.update('Thing__c', id, values());
    else if (step.do === 'delete') t.delete('Thing__c', id);
    else if (step.do === 'undelete') t.undelete('Thing__c', id);
    else if (step.do === 'purge') t.purge('Thing__c', [id]);
    else if (step.do === 'parent') t.update('Thing__c', id, { Master__c: ids[step.parent % Math.max(1, ids.length)] ?? null });
    else if (step.do === 'merge') t.merge('Account', accounts[0]!, [accounts[1 + (step.parent % 2)]!]);
  } catch (error) {
    if (!(error instanceof SalesforceError)) throw error;
  }
}
