import { beforeEach, describe, expect, test } from 'vitest';
import { createEventBus } from '../events/event-bus.ts';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from '../org/testing.ts';
import type { Org, OrgClock, Values } from '../org/types.ts';
import { createAutomation, type OrgAutomation } from './automation.ts';

// Calculated fields change where nobody looks: a sync that trusts SystemModstamp must miss here what it would miss in an
// org, or its refresh of such columns is never tried (P1).

let org: Org;
let clock: OrgClock;
let automation: OrgAutomation;
beforeEach(() => {
  ({ org, clock } = createTestOrg());
  automation = createAutomation(org);
});
const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const update = (object: string, id: string, values: Values) => org.write((t) => t.update(object, id, values).id);
const stamps = (object: string, id: string) => {
  const [row] = records(org, `SELECT SystemModstamp, LastModifiedDate, LastModifiedById FROM ${object} WHERE Id = '${id}'`);
  return [row!.SystemModstamp, row!.LastModifiedDate, row!.LastModifiedById];
};
const first = '2024-05-22T13:05:09.000+0000';
const later = '2024-05-22T13:05:19.000+0000';

describe('formula fields', () => {
  const define = (formula: string, type: 'number' | 'text' | 'checkbox' | 'date' | 'percent' = 'number', field = 'F__c') =>
    automation.formulas.define({ object: 'Thing__c', field, type, formula });
  const read = (field = 'F__c') => records(org, `SELECT ${field} FROM Thing__c ORDER BY Name`).map((row) => row[field]);

  test(`follow their record and its parents at once, and leave no trace ${evidence('documented', 'Salesforce Help, Calculate Field Values with Formulas; Change Data Capture Developer Guide: a formula’s change alone fires no event')}`, () => {
    define('Account__r.Name & "/" & Account__r.Owner.Alias & "/" & TEXT(Number__c)', 'text');
    const bus = createEventBus(org);
    bus.selectForChangeEvents(['Thing__c']);
    const account = insert('Account', { Name: 'Acme' });
    const id = insert('Thing__c', { Name: 'x', Account__c: account, Number__c: 1.5 });
    expect(read()).toEqual(['Acme/admin/1.5']);
    clock.advance(10_000);
    update('Account', account, { Name: 'Other' });
    update('User', org.adminUserId, { Alias: 'boss' });
    expect(read()).toEqual(['Other/boss/1.5']);
    expect(stamps('Thing__c', id)).toEqual([first, first, org.adminUserId]);
    const minute = 60_000;
    const [from, to] = [clock.now() - minute, clock.now() + minute];
    clock.advance(minute);
    expect(org.updated('Account', from, to).ids).toEqual([account]);
    const told = bus.channel('/data/Thing__ChangeEvent')!.read(0, 10, org.adminUserId).events;
    expect(told.map((event) => (event.json().ChangeEventHeader as Record<string, unknown>).changeType)).toEqual(['CREATE']);
    expect(told[0]!.json()).not.toHaveProperty('F__c');
  });

  test(`are read, filtered, sorted, grouped and counted as any other field ${evidence('documented', 'SOQL and SOSL Reference, WHERE, ORDER BY; Salesforce Help, Formula Fields')}`, () => {
    define('Number__c / 3');
    define('IF(Number__c > 5, "big", "small")', 'text', 'Size__c');
    for (const [Name, Number__c] of Object.entries({ a: 1, b: 9, c: 6 })) insert('Thing__c', { Name, Number__c });
    expect(read()).toEqual([0.33, 3, 2]);
    const names = (rest: string) => records(org, `SELECT Name FROM Thing__c ${rest}`).map(({ Name }) => Name);
    expect(names('WHERE F__c > 1 ORDER BY F__c')).toEqual(['c', 'b']);
    expect(names("WHERE Size__c = 'BIG' ORDER BY Name")).toEqual(['b', 'c']);
    expect(
      records(org, 'SELECT Size__c s, COUNT(Id) n, SUM(F__c) f FROM Thing__c GROUP BY Size__c ORDER BY Size__c'),
    ).toMatchObject([
      { s: 'big', n: 2, f: 5 },
      { s: 'small', n: 1, f: 0.33 },
    ]);
    expect([...org.table('SELECT Name, F__c FROM Thing__c ORDER BY Name').rows()][1]).toEqual(['b', '3.0']);
    const parent = insert('Thing__c', {
      Name: 'child',
      Number__c: 30,
      Master__c: insert('Thing__c', { Name: 'm', Number__c: 12 }),
    });
    expect(records(org, `SELECT Master__r.F__c FROM Thing__c WHERE Id = '${parent}'`)).toMatchObject([
      { Master__r: { F__c: 4 } },
    ]);
    expect(records(org, "SELECT (SELECT F__c FROM Parts__r) FROM Thing__c WHERE Name = 'm'")).toMatchObject([
      { Parts__r: { records: [{ F__c: 10 }] } },
    ]);
    expect(org.retrieve('Thing__c', parent, 'v62.0')).toMatchObject({ F__c: 10, Size__c: 'big' });
  });

  test(`follow from other formulas, never from themselves ${evidence('documented', 'Salesforce Help, Tips for Building Formulas')}`, () => {
    define('Number__c * 2', 'number', 'A__c');
    define('A__c + Master__r.A__c', 'number', 'B__c');
    insert('Thing__c', { Name: 'b', Number__c: 5, Master__c: insert('Thing__c', { Name: 'a', Number__c: 1 }) });
    expect(read('B__c')).toEqual([2, 12]);
    expect(() => define('B__c', 'number', 'A__c')).toThrow('follows from itself');
    expect(() => define('Master__r.A__c', 'number', 'A__c')).toThrow('follows from itself');
    expect(read('B__c')).toEqual([2, 12]);
  });

  test(`of the time change with the org's clock, as they are read ${evidence('documented', 'Salesforce Help, TODAY, NOW: volatile functions')}`, () => {
    define('TODAY() - Day__c', 'number');
    insert('Thing__c', { Name: 'x', Day__c: '2024-05-20' });
    expect(read()).toEqual([2]);
    clock.advance(24 * 3_600_000);
    expect(read()).toEqual([3]);
    expect(records(org, 'SELECT Id FROM Thing__c WHERE F__c = 3').length).toBe(1);
  });

  test(`cannot be written ${evidence('documented', 'SOAP API Developer Guide, INVALID_FIELD_FOR_INSERT_UPDATE; describe: calculated, createable, updateable')}`, () => {
    define('1');
    expect(org.schema.field('Thing__c', 'F__c')).toMatchObject({
      ...{ calculated: true, calculatedFormula: '1', createable: false, updateable: false, formulaTreatNullNumberAsZero: true },
    });
    const error = refusal(() => insert('Thing__c', { Name: 'x', F__c: 2 }));
    expect([error.errorCode, error.fields]).toEqual(['INVALID_FIELD_FOR_INSERT_UPDATE', ['F__c']]);
  });

  test(`show what follows from fields that the reader may not see ${evidence('documented', 'Salesforce Help, Formula Field Considerations: field-level security of referenced fields')}`, () => {
    define('Account__r.Name & Text__c', 'text');
    insert('Thing__c', { Name: 'x', Text__c: 'hidden', Account__c: insert('Account', { Name: 'Acme' }) });
    const { schema } = org;
    const thing = schema.object('Thing__c')!;
    const seen = { ...thing, fields: thing.fields.filter(({ name }) => name !== 'Text__c' && name !== 'Account__c') };
    const view = org.as({
      userId: org.adminUserId,
      mayPurge: () => false,
      schema: { ...schema, object: (name) => (name === 'Thing__c' ? seen : undefined) },
    });
    expect(() => records(view, 'SELECT Text__c FROM Thing__c')).toThrow('No such column');
    expect(records(view, "SELECT F__c FROM Thing__c WHERE F__c LIKE 'Acme%'")).toMatchObject([{ F__c: 'Acmehidden' }]);
  });

  test(`percents count as fractions; what cannot be worked out or is too large reads null ${evidence('documented', 'Salesforce Help, Formula Field Considerations: percent; #Error!')}`, () => {
    define('0.25', 'percent');
    define('F__c * 8', 'number', 'Eight__c');
    define('1 / Number__c', 'number', 'Inverse__c');
    define('Number__c * 10 ^ 17', 'number', 'Huge__c');
    insert('Thing__c', { Name: 'x', Number__c: 0 });
    insert('Thing__c', { Name: 'y', Number__c: 5 });
    expect([read(), read('Eight__c'), read('Inverse__c'), read('Huge__c')]).toEqual([
      [25, 25],
      [2, 2],
      [null, 0.2],
      [0, null],
    ]);
  });

  test('may be functions, of the fields that they name', () => {
    automation.formulas.define({
      ...{ object: 'Thing__c', field: 'F__c', type: 'checkbox', uses: ['Moment__c', 'Account__r.Name'] },
      compute: (values) => values['Account__r.Name'] === 'Acme' && values.Moment__c === '2024-01-02T03:04:05.000+0000',
    });
    insert('Thing__c', { Name: 'x', Moment__c: '2024-01-02T03:04:05Z', Account__c: insert('Account', { Name: 'Acme' }) });
    insert('Thing__c', { Name: 'y' });
    expect(read()).toEqual([true, false]);
    expect(records(org, 'SELECT Name FROM Thing__c WHERE F__c = TRUE')).toMatchObject([{ Name: 'x' }]);
  });

  test('in an open transaction follow from what it wrote; a field that a formula lost reads blank; a removed one is gone', () => {
    define('Number__c + 1');
    const open = org.begin();
    open.insert('Thing__c', { Name: 'x', Number__c: 1 });
    const result = org.query('SELECT F__c FROM Thing__c', { transaction: open });
    expect(result.page(0, 10, 'v62.0')).toMatchObject([{ F__c: 2 }]);
    open.commit();
    org.schema.removeField('Thing__c', 'Number__c');
    expect(read()).toEqual([1]);
    org.schema.removeField('Thing__c', 'F__c');
    expect(() => read()).toThrow('No such column');
    expect(automation.formulas.list()).toEqual([]);
  });
});

describe('roll-up fields', () => {
  const define = (operation: 'count' | 'sum' | 'min' | 'max', rest: { where?: string; field?: string } = {}) =>
    automation.rollUps.define({
      ...{ object: 'Account', field: 'Roll__c', child: 'Thing__c', reference: 'Account__c', operation, summarized: 'Number__c' },
      ...rest,
    });
  const value = (id: string, field = 'Roll__c') => records(org, `SELECT ${field} FROM Account WHERE Id = '${id}'`)[0]![field];
  let account: string;
  const child = (Number__c: number | null, rest: Values = {}) =>
    insert('Thing__c', { Name: 'c', Number__c, Account__c: account, ...rest });
  beforeEach(() => {
    account = insert('Account', { Name: 'Acme' });
  });

  test(`count, sum, and find the smallest and largest of their children, filtered ${evidence('documented', 'Salesforce Help, Roll-Up Summary Field')}`, () => {
    for (const number of [3, 0.1, 0.2, null]) child(number);
    define('count');
    define('sum', { field: 'Sum__c' });
    define('min', { field: 'Min__c' });
    define('max', { field: 'Max__c', where: "Text__c != 'out' AND Number__c < 5" });
    const all = () => ['Roll__c', 'Sum__c', 'Min__c', 'Max__c'].map((field) => value(account, field));
    expect(all()).toEqual([4, 3.3, 0.1, 3]);
    const big = child(7);
    const out = child(4, { Text__c: 'out' });
    expect(all()).toEqual([6, 14.3, 0.1, 3]);
    update('Thing__c', out, { Text__c: 'in' });
    expect(all()).toEqual([6, 14.3, 0.1, 4]);
    org.write((t) => t.delete('Thing__c', big));
    org.write((t) => t.delete('Thing__c', out));
    expect(all()).toEqual([4, 3.3, 0.1, 3]);
    org.write((t) => t.undelete('Thing__c', big));
    expect(all()).toEqual([5, 10.3, 0.1, 3]);
    const other = insert('Account', { Name: 'Other' });
    expect(value(other, 'Sum__c')).toBe(0);
    update('Thing__c', big, { Account__c: other });
    expect([all(), value(other), value(other, 'Sum__c')]).toEqual([[4, 3.3, 0.1, 3], 1, 7]);
    expect(records(org, 'SELECT Id FROM Account WHERE Sum__c > 5 ORDER BY Roll__c')).toMatchObject([{ Id: other }]);
  });

  test(`of a parent without children: zero, and blank for the smallest and largest ${evidence('assumed', 'Salesforce Help tells it of counts only')}`, () => {
    define('count');
    define('sum', { field: 'Sum__c' });
    define('min', { field: 'Min__c' });
    for (const id of [account, insert('Account', { Name: 'new' })]) {
      expect([value(id), value(id, 'Sum__c'), value(id, 'Min__c')]).toEqual([0, 0, null]);
    }
  });

  test(`move the parent's SystemModstamp and nothing else, in the transaction of the child's write ${evidence('assumed', 'Apex Developer Guide, Triggers and Order of Execution: the parent is saved; of its stamps nothing is told')}`, () => {
    define('count');
    clock.advance(10_000);
    const open = org.begin();
    open.insert('Thing__c', { Name: 'c', Account__c: account });
    expect(value(account)).toBe(0);
    expect(open.row('Account', account)).toMatchObject({ Roll__c: 1 });
    open.commit();
    expect(value(account)).toBe(1);
    expect(stamps('Account', account)).toEqual([later, first, org.adminUserId]);
  });

  test(`fire an event of the parent, of the same transaction and origin, with the roll-up alone ${evidence('assumed', 'Change Data Capture Developer Guide, which includes roll-ups on one page and not on another; the origin is nowhere told')}`, () => {
    define('count');
    const bus = createEventBus(org);
    bus.selectForChangeEvents(['Account', 'Thing__c']);
    clock.advance(10_000);
    org.write((t) => t.insert('Thing__c', { Name: 'c', Account__c: account }), { origin: 'com/x' });
    const told = bus
      .channel('/data/ChangeEvents')!
      .read(0, 10, org.adminUserId)
      .events.map((event) => event.json());
    const headers = told.map(({ ChangeEventHeader: header }) => header as Record<string, unknown>);
    expect(headers.map(({ entityName, changeType, changeOrigin }) => [entityName, changeType, changeOrigin])).toEqual([
      ['Thing__c', 'CREATE', 'com/x'],
      ['Account', 'UPDATE', 'com/x'],
    ]);
    expect(headers[1]!.transactionKey).toBe(headers[0]!.transactionKey);
    expect(headers[1]!.changedFields).toEqual(['Roll__c']);
    expect(told[1]!.Roll__c).toBe(1);
  });

  test(`are not written, and a parent that may not have them keeps its child from being saved ${evidence('documented', 'Salesforce Help, Roll-Up Summary Field: validation rules of the parent')}`, () => {
    define('sum');
    expect(refusal(() => update('Account', account, { Roll__c: 1 })).errorCode).toBe('INVALID_FIELD_FOR_INSERT_UPDATE');
    automation.validationRules.define({ object: 'Account', name: 'Max', message: 'too much', errorFormula: 'Roll__c > 10' });
    const id = child(10);
    expect(refusal(() => child(1)).message).toBe('too much');
    expect(refusal(() => update('Thing__c', id, { Number__c: 11 })).message).toBe('too much');
    expect(value(account)).toBe(10);
  });

  test(`hold their parents while a transaction is open ${evidence('documented', 'Designing Record Access for Enterprise Scale: roll-up summary fields lock the parent')}`, () => {
    define('max');
    child(5);
    const open = org.begin();
    open.insert('Thing__c', { Name: 'c', Account__c: account, Number__c: 1 });
    const error = refusal(() => child(7));
    expect([error.errorCode, error.message.includes(account)]).toEqual(['UNABLE_TO_LOCK_ROW', true]);
    insert('Thing__c', { Name: 'without' });
    open.rollback();
    child(7);
    expect(value(account)).toBe(7);
  });

  test(`sum up other roll-ups and formulas of the child, not those that follow from elsewhere ${evidence('documented', 'Salesforce Help, Roll-Up Summary Field Considerations: no cross-object or time-dependent formulas')}`, () => {
    const { formulas, rollUps } = automation;
    formulas.define({ object: 'Line__c', field: 'Letters__c', type: 'number', formula: 'LEN(Text__c)' });
    const lines = { object: 'Thing__c', child: 'Line__c', reference: 'Fixed__c' };
    rollUps.define({ ...lines, field: 'Letters__c', operation: 'sum', summarized: 'Letters__c', where: 'Letters__c > 1' });
    rollUps.define({
      object: 'Account',
      child: 'Thing__c',
      reference: 'Account__c',
      field: 'All__c',
      operation: 'sum',
      summarized: 'Letters__c',
    });
    const thing = child(null);
    const line = insert('Line__c', { Name: 'l', Text__c: 'four', Fixed__c: thing, Moving__c: thing });
    insert('Line__c', { Name: 'l', Text__c: '1', Fixed__c: thing, Moving__c: thing });
    expect(value(account, 'All__c')).toBe(4);
    update('Line__c', line, { Text__c: 'longer' });
    expect(value(account, 'All__c')).toBe(6);
    org.load('Line__c', [{ Name: 'l', Text__c: 'loaded', Fixed__c: thing, Moving__c: thing }]);
    expect(value(account, 'All__c')).toBe(12);
    formulas.define({ object: 'Line__c', field: 'Far__c', type: 'number', formula: 'Fixed__r.Number__c' });
    formulas.define({ object: 'Line__c', field: 'Age__c', type: 'number', formula: 'TODAY() - DATEVALUE(CreatedDate)' });
    for (const summarized of ['Far__c', 'Age__c', 'Text__c', 'Nope__c']) {
      expect(() => rollUps.define({ ...lines, field: 'Bad__c', operation: 'sum', summarized })).toThrow(summarized);
    }
    expect(org.schema.field('Thing__c', 'Bad__c')).toBeUndefined();
  });

  test(`are right again when a deleted parent comes back, and when parents are merged ${evidence('assumed', 'a parent in the recycle bin is not recalculated; when it comes back it is')}`, () => {
    define('count');
    const [a, b] = [insert('Account', { Name: 'a' }), insert('Account', { Name: 'b' })];
    const thing = (name: string, id: string) => insert('Thing__c', { Name: name, Account__c: id });
    thing('1', a);
    thing('2', b);
    org.write((t) => t.merge('Account', a, [b]));
    expect(value(a)).toBe(2);
    org.write((t) => t.undelete('Account', b));
    expect(value(b)).toBe(0);
    const master = insert('Thing__c', { Name: 'm' });
    automation.rollUps.define({
      object: 'Thing__c',
      child: 'Thing__c',
      reference: 'Master__c',
      field: 'Parts__c',
      operation: 'count',
    });
    for (const Name of ['x', 'y']) insert('Thing__c', { Name, Master__c: master });
    org.write((t) => t.delete('Thing__c', master));
    org.write((t) => t.undelete('Thing__c', master));
    expect(records(org, `SELECT Parts__c FROM Thing__c WHERE Id = '${master}'`)).toMatchObject([{ Parts__c: 2 }]);
  });
});
