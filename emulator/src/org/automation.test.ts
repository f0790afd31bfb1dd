import { beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from './testing.ts';
import { type Automation, type Org, type RecordSave, SalesforceError, type TouchedRecord, type Values } from './types.ts';

// Automation has its say where Salesforce gives it, and what a refused record's automation did goes with the record: else
// a sync would find traces of rows that the org reported as failed (P2).

let org: Org;
beforeEach(() => {
  ({ org } = createTestOrg());
});
const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const names = () => records(org, 'SELECT Name FROM Thing__c ORDER BY Name').map((row) => row.Name);
const order = evidence('documented', 'Apex Developer Guide, Triggers and Order of Execution');
const refuse = () => {
  throw new SalesforceError('FIELD_CUSTOM_VALIDATION_EXCEPTION', 'not so');
};

/** Notes every call of every hook. */
function watch(target: Org): string[] {
  const seen: string[] = [];
  const note = (hook: string) => (save: RecordSave) =>
    seen.push(`${hook} ${save.kind} ${save.object} ${save.before?.Text__c ?? '-'}>${save.row.Text__c ?? '-'}`);
  target.automate({
    beforeSave: note('before'),
    validate: note('validate'),
    afterSave: note('after'),
    recalculate: (touched) => seen.push(`recalculate ${touched.map(({ object }) => object).join()}`),
  });
  return seen;
}

test(`a save runs before triggers, validation, after triggers, roll-ups ${order}`, () => {
  const seen = watch(org);
  const id = insert('Thing__c', { Name: 'x', Text__c: 'a' });
  org.write((t) => t.update('Thing__c', id, { Text__c: 'b' }));
  org.write((t) => t.delete('Thing__c', id));
  org.write((t) => t.undelete('Thing__c', id));
  expect(seen).toEqual([
    'before create Thing__c ->a',
    'validate create Thing__c ->a',
    'after create Thing__c ->a',
    'recalculate Thing__c',
    'before update Thing__c a>b',
    'validate update Thing__c a>b',
    'after update Thing__c a>b',
    'recalculate Thing__c',
    'before delete Thing__c b>b',
    'after delete Thing__c b>b',
    'recalculate Thing__c',
    'after undelete Thing__c b>b',
    'recalculate Thing__c',
  ]);
});

test('automation that names objects is told of their records only, of recalculations always', () => {
  const seen: string[] = [];
  org.automate({
    objects: ['Account'],
    validate: ({ object }) => seen.push(object),
    recalculate: (touched) => seen.push(...touched.map(({ object }) => `recalculate ${object}`)),
  });
  insert('Thing__c', { Name: 'x' });
  insert('Account', { Name: 'y' });
  expect(seen.filter((each) => !each.startsWith('recalculate'))).toEqual(['Account']);
  expect(seen).toContain('recalculate Thing__c');
});

test(`a before trigger can supply what is required and mend what is wrong, and what it sets is checked ${order}`, () => {
  const ids: unknown[] = [];
  const stop = org.automate({
    beforeSave(save) {
      ids.push(save.id);
      if (save.row.Name === null) save.set('Name', 'made');
      if (save.row.Text__c === 'long') save.set('Text__c', 'x'.repeat(21));
      if (save.row.Text__c === 'twin') save.set('Ext__c', 'taken');
      if (save.row.Text__c === 'lost') save.set('Account__c', '001000000000001AAA');
    },
  });
  insert('Thing__c', { Ext__c: 'taken' });
  expect(names()).toEqual(['made']);
  expect(ids).toEqual([undefined]);
  expect(refusal(() => insert('Thing__c', { Text__c: 'long' })).errorCode).toBe('STRING_TOO_LONG');
  expect(refusal(() => insert('Thing__c', { Text__c: 'twin' })).errorCode).toBe('DUPLICATE_VALUE');
  expect(refusal(() => insert('Thing__c', { Text__c: 'lost' })).errorCode).toBe('INVALID_CROSS_REFERENCE_KEY');
  stop();
  expect(refusal(() => insert('Thing__c', {})).errorCode).toBe('REQUIRED_FIELD_MISSING');
});

test(`defaults are there for triggers, names follow what they set, and nothing can be set later ${order}`, () => {
  let late: RecordSave | undefined;
  org.automate({
    beforeSave(save) {
      if (save.object === 'Contact') save.set('FirstName', `owned by ${save.row.OwnerId === org.adminUserId ? 'admin' : '?'}`);
    },
    validate: (save) => {
      late = save;
    },
  });
  insert('Contact', { LastName: 'x' });
  expect(records(org, 'SELECT Name FROM Contact')).toMatchObject([{ Name: 'owned by admin x' }]);
  expect(() => late!.set('FirstName', 'y')).toThrow('beforeSave');
});

describe('a refusal undoes all that was done for the record, and nothing else', () => {
  const audit = (hook: keyof Automation) =>
    org.automate({
      [hook]: (save: RecordSave) => {
        if (save.object !== 'Thing__c' || !String(save.row.Name).startsWith('main')) return;
        save.transaction.insert('Account', { Name: `for ${save.row.Name}` });
        if (save.row.Name === 'main bad') refuse();
      },
    });
  test.each(['beforeSave', 'validate', 'afterSave'] as const)(
    `by %s ${evidence('documented', 'Apex Developer Guide, Bulk DML Exception Handling: partial saves')}`,
    (hook) => {
      audit(hook);
      const told: string[] = [];
      org.onCommit(({ changes }) => told.push(...changes.map(({ after }) => String(after.Name))));
      const codes: string[] = [];
      org.write((t) => {
        for (const name of ['main 1', 'main bad', 'main 2']) {
          try {
            t.insert('Thing__c', { Name: name });
          } catch (error) {
            codes.push((error as SalesforceError).errorCode);
          }
        }
      });
      expect(codes).toEqual(['FIELD_CUSTOM_VALIDATION_EXCEPTION']);
      expect(names()).toEqual(['main 1', 'main 2']);
      expect(told.sort()).toEqual(['for main 1', 'for main 2', 'main 1', 'main 2']);
    },
  );

  test(`by a roll-up's parent ${order}`, () => {
    org.automate({
      recalculate(touched, recalculation) {
        for (const { after } of touched) {
          if (typeof after.Master__c === 'string') {
            const count = recalculation.transaction.rows('Thing__c', 'Master__c', after.Master__c).length;
            recalculation.store('Thing__c', after.Master__c, { Int__c: count }, { save: true, stamps: 'system' });
          }
        }
      },
      validate: (save) => {
        if (Number(save.row.Int__c) > 2) refuse();
      },
    });
    const master = insert('Thing__c', { Name: 'm' });
    const failed = org.write((t) =>
      ['a', 'b', 'c', 'd'].filter((name) => {
        try {
          t.insert('Thing__c', { Name: name, Master__c: master });
          return false;
        } catch {
          return true;
        }
      }),
    );
    expect(failed).toEqual(['c', 'd']);
    expect(names()).toEqual(['a', 'b', 'm']);
    expect(records(org, "SELECT Int__c FROM Thing__c WHERE Name = 'm'")).toMatchObject([{ Int__c: 2 }]);
  });
});

test('the locks of a refused record are free again', () => {
  const id = insert('Thing__c', { Name: 'x' });
  org.automate({
    afterSave(save) {
      if (save.object !== 'Account') return;
      save.transaction.update('Thing__c', id, { Text__c: 'touched' });
      refuse();
    },
  });
  const open = org.begin();
  refusal(() => open.insert('Account', { Name: 'a' }));
  org.write((t) => t.update('Thing__c', id, { Text__c: 'free' }));
  open.rollback();
});

test(`a trigger that keeps causing itself is stopped ${evidence('documented', 'Apex Developer Guide, Execution Governors and Limits: trigger depth 16')}`, () => {
  let depth = 0;
  org.automate({
    afterSave(save) {
      depth++;
      save.transaction.insert('Thing__c', { Name: 'again' });
    },
  });
  const error = refusal(() => insert('Thing__c', { Name: 'x' }));
  expect([error.errorCode, depth]).toEqual(['CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 16]);
  expect(names()).toEqual([]);
});

test(`records that a delete, an undelete or a merge takes along run no triggers, and roll-ups hear of them ${evidence('documented', 'Apex Developer Guide, Operations That Don’t Invoke Triggers')}`, () => {
  const master = insert('Thing__c', { Name: 'm', Text__c: 'm' });
  insert('Thing__c', { Name: 'c', Text__c: 'c', Master__c: master });
  const [winner, loser] = [insert('Account', { Name: 'w' }), insert('Account', { Name: 'l' })];
  insert('Contact', { LastName: 'c', AccountId: loser });
  const seen = watch(org);
  org.write((t) => t.delete('Thing__c', master));
  org.write((t) => t.undelete('Thing__c', master));
  org.write((t) => t.merge('Account', winner, [loser]));
  expect(seen).toEqual([
    'before delete Thing__c m>m',
    'after delete Thing__c m>m',
    'recalculate Thing__c,Thing__c',
    'after undelete Thing__c m>m',
    'recalculate Thing__c,Thing__c',
    // "Triggers and Merge Statements": a delete of the losers, then an update of the master.
    'before delete Account ->-',
    'after delete Account ->-',
    'before update Account ->-',
    'validate update Account ->-',
    'after update Account ->-',
    'recalculate Contact,Account,Account',
  ]);
});

describe('recalculation', () => {
  test(`goes on until nothing changes, and leaves stamps as it is told ${evidence('assumed', 'Change Data Capture Developer Guide: formula fields move no stamp; of roll-ups it is not told')}`, () => {
    const { org: own, clock } = createTestOrg();
    const rounds: string[][] = [];
    /** A chain: each thing's text is its master's, in capitals. */
    own.automate({
      recalculate(touched: readonly TouchedRecord[], { transaction, store }) {
        rounds.push(touched.map(({ after }) => String(after.Name)));
        for (const { object, id, after } of touched) {
          if (object !== 'Thing__c') continue;
          for (const child of transaction.rows('Thing__c', 'Master__c', id)) {
            store(
              'Thing__c',
              String(child.Id),
              { Text__c: String(after.Text__c).toUpperCase() },
              child.Name === 'c' ? { stamps: 'system' } : {},
            );
          }
        }
      },
    });
    const ids: string[] = [];
    for (const Name of ['a', 'b', 'c']) {
      ids.push(own.write((t) => t.insert('Thing__c', { Name, ...(ids.length > 0 ? { Master__c: ids.at(-1)! } : {}) }).id));
    }
    clock.advance(5000);
    rounds.length = 0;
    own.write((t) => t.update('Thing__c', ids[0]!, { Text__c: 'x' }));
    expect(rounds).toEqual([['a'], ['b'], ['c']]);
    expect(records(own, 'SELECT Name, Text__c, SystemModstamp, LastModifiedDate FROM Thing__c ORDER BY Name')).toMatchObject([
      { Text__c: 'x', SystemModstamp: '2024-05-22T13:05:14.000+0000', LastModifiedDate: '2024-05-22T13:05:14.000+0000' },
      { Text__c: 'X', SystemModstamp: '2024-05-22T13:05:09.000+0000', LastModifiedDate: '2024-05-22T13:05:09.000+0000' },
      { Text__c: 'X', SystemModstamp: '2024-05-22T13:05:14.000+0000', LastModifiedDate: '2024-05-22T13:05:09.000+0000' },
    ]);
    rounds.length = 0;
    own.write((t) => t.update('Thing__c', ids[0]!, { Text__c: 'x' }));
    expect(rounds).toEqual([['a']]);
  });

  test('that never comes to rest is refused', () => {
    org.automate({
      recalculate: (touched, { store }) => {
        for (const { id, after } of touched) store('Thing__c', id, { Int__c: Number(after.Int__c) + 1 });
      },
    });
    expect(refusal(() => insert('Thing__c', { Name: 'x' })).message).toContain('never come to rest');
    expect(names()).toEqual([]);
  });
});
