import { beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal, type TestOrg } from './testing.ts';
import type { Org, OrgClock, Values } from './types.ts';

// The org refuses what Salesforce refuses, with the same codes and words, and stores what Salesforce would store:
// otherwise a sync that passes here fails there.

let test_: TestOrg;
let org: Org;
let clock: OrgClock;
beforeEach(() => {
  test_ = createTestOrg();
  ({ org, clock } = test_);
});

const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const update = (object: string, id: string, values: Values) => org.write((t) => t.update(object, id, values));
const one = (soql: string, all = false) => records(org, soql, { all })[0]!;
const minuteMs = 60_000;

describe('values', () => {
  test.each([
    ['Text__c', '  padded ', 'padded'],
    ['Text__c', '', null],
    ['Text__c', '   ', null],
    ['Long__c', ' kept\n', ' kept\n'],
    ['Number__c', 12.5, 12.5],
    ['Number__c', '12.5', 12.5],
    ['Int__c', '7', 7],
    ['Flag__c', 'true', true],
    ['Flag__c', null, false],
    ['Day__c', '2024-02-29', '2024-02-29'],
    ['Moment__c', '2024-02-29T10:00:00.987+02:00', '2024-02-29T08:00:00.000+0000'],
    ['Moment__c', '2024-02-29T10:00:00Z', '2024-02-29T10:00:00.000+0000'],
    ['Time__c', '13:05:09', '13:05:09.000Z'],
    ['Stage__c', 'alpha', 'Alpha'],
    ['Colours__c', 'blue;Red', 'red;blue'],
    ['Email__c', ' Ada.Lovelace@Example.COM', 'ada.lovelace@example.com'],
  ])(
    `%s given %j reads %j ${evidence('assumed', 'REST API Developer Guide, field types; trimming and small letters in e-mail addresses from common reports')}`,
    (field, given, stored) => {
      const id = insert('Thing__c', { Name: 'x', [field]: given });
      expect(org.retrieve('Thing__c', id, 'v62.0', [field])).toMatchObject({ [field]: stored });
    },
  );

  type Refused = readonly [field: string, value: Values[string], code: string, message: string];
  const seen: Refused[] = [
    ['Text__c', 'x'.repeat(21), 'STRING_TOO_LONG', `Text: data value too large: ${'x'.repeat(21)} (max length=20)`],
    ['Email__c', '123', 'INVALID_EMAIL_ADDRESS', 'Email: invalid email address: 123'],
    ['Account__c', 'abc', 'MALFORMED_ID', 'Account: id value of incorrect type: abc'],
    ['Account__c', '003000000000001AAA', 'MALFORMED_ID', 'Account: id value of incorrect type: 003000000000001AAA'],
    ['Account__c', '001000000000001AAA', 'INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id'],
    ['Nope__c', 1, 'INVALID_FIELD', "No such column 'Nope__c' on sobject of type Thing__c"],
    ['CreatedDate', '2024-01-01', 'INVALID_FIELD_FOR_INSERT_UPDATE', 'Unable to create/update fields: CreatedDate. Please check'],
    ['Place__c', 'x', 'INVALID_FIELD_FOR_INSERT_UPDATE', 'Unable to create/update fields: Place__c.'],
  ];
  const guessed: Refused[] = [
    ['Text__c', 5, 'JSON_PARSER_ERROR', 'Cannot deserialize instance of string from VALUE_NUMBER value 5'],
    ['Number__c', 'abc', 'JSON_PARSER_ERROR', 'Cannot deserialize instance of double from VALUE_STRING value abc'],
    ['Number__c', 10_000, 'NUMBER_OUTSIDE_VALID_RANGE', 'Number: value outside of valid range on numeric field: 10000'],
    ['Flag__c', 'maybe', 'JSON_PARSER_ERROR', 'Cannot deserialize instance of boolean'],
    ['Day__c', '2023-02-29', 'JSON_PARSER_ERROR', 'Cannot deserialize instance of date from VALUE_STRING value 2023-02-29'],
    ['Moment__c', 'yesterday', 'JSON_PARSER_ERROR', 'Cannot deserialize instance of datetime'],
    ['Stage__c', 'Nope', 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST', 'Stage: bad value for restricted picklist field: Nope'],
  ];
  const checkRefused = (field: string, value: Values[string], code: string, message: string) => {
    const error = refusal(() => insert('Thing__c', { Name: 'x', [field]: value }));
    expect(error.errorCode).toBe(code);
    expect(error.message).toContain(message);
    expect(records(org, 'SELECT Id FROM Thing__c')).toEqual([]);
  };
  const codes = 'REST API Developer Guide, Status Codes and Error Responses';
  test.each(seen)(`%s given %j is refused with %s ${evidence('documented', codes)}`, checkRefused);
  test.each(guessed)(
    `%s given %j is refused with %s ${evidence('assumed', 'code and wording from common reports')}`,
    checkRefused,
  );

  test(`all missing required fields are named, and null does not pass for a value ${evidence('recorded', 'create Contact without LastName')}`, () => {
    const error = refusal(() => insert('Contact', { FirstName: 'A' }));
    expect(error.message).toBe('Required fields are missing: [LastName]');
    expect(error.fields).toEqual(['LastName']);
    const id = insert('Contact', { LastName: 'B' });
    expect(refusal(() => update('Contact', id, { LastName: null })).errorCode).toBe('REQUIRED_FIELD_MISSING');
  });

  test(`a field that can only be created is refused on update ${evidence('documented', 'Object Reference, field properties')}`, () => {
    const id = insert('Thing__c', { Name: 'x', Fixed__c: 'once' });
    expect(refusal(() => update('Thing__c', id, { Fixed__c: 'twice' })).errorCode).toBe('INVALID_FIELD_FOR_INSERT_UPDATE');
  });

  test(`names of persons, defaults, owners and numbers are made by the org ${evidence('assumed', 'follows from compoundFieldName, defaultedOnCreate and autoNumber of recorded describes')}`, () => {
    const id = insert('Contact', { FirstName: 'Ada', LastName: 'Löwe' });
    expect(one('SELECT Name, OwnerId FROM Contact')).toMatchObject({ Name: 'Ada Löwe', OwnerId: org.adminUserId });
    update('Contact', id, { FirstName: null });
    expect(one('SELECT Name FROM Contact').Name).toBe('Löwe');
    insert('Thing__c', { Name: 'a' });
    insert('Thing__c', { Name: 'b' });
    const numbers = records(org, 'SELECT Number_Name__c FROM Thing__c ORDER BY Name').map((row) => row.Number_Name__c);
    expect(numbers).toEqual(['00000001', '00000002']);
  });

  test(`a default is for what was not mentioned: a null that was given stays ${evidence('assumed', 'REST API Developer Guide: an explicit null clears a field')}`, () => {
    insert('Lead', { LastName: 'a', Company: 'c' });
    insert('Lead', { LastName: 'b', Company: 'c', Status: null });
    expect(records(org, 'SELECT Status FROM Lead ORDER BY LastName').map((row) => typeof row.Status)).toEqual([
      'string',
      'object',
    ]);
  });

  test(`compound fields are read whole ${evidence('recorded', 'Lead list with Address')}`, () => {
    insert('Thing__c', { Name: 'x', Place__Latitude__s: 1.5, Place__Longitude__s: -2 });
    expect(one('SELECT Place__c FROM Thing__c').Place__c).toEqual({ latitude: 1.5, longitude: -2 });
    insert('Lead', { LastName: 'L', Company: 'C', Country: 'USA' });
    const address = {
      city: null,
      country: 'USA',
      geocodeAccuracy: null,
      latitude: null,
      longitude: null,
      postalCode: null,
      state: null,
      street: null,
    };
    expect(one('SELECT Address FROM Lead').Address).toEqual(address);
  });
});

describe('keys', () => {
  test(`a unique value is refused a second time, without regard to case in any script ${evidence('assumed', 'code and wording were seen; other scripts by analogy')}`, () => {
    const id = insert('Thing__c', { Name: 'x', Ext__c: 'Ärger' });
    const error = refusal(() => insert('Thing__c', { Name: 'y', Ext__c: 'ÄRGER' }));
    expect(error.errorCode).toBe('DUPLICATE_VALUE');
    expect(error.message).toBe(`duplicate value found: Ext__c duplicates value on record with id: ${id.slice(0, 15)}`);
    insert('Thing__c', { Name: 'z', Case__c: 'a' });
    insert('Thing__c', { Name: 'z', Case__c: 'A' });
    expect(refusal(() => insert('Thing__c', { Name: 'z', Case__c: 'A' })).errorCode).toBe('DUPLICATE_VALUE');
  });

  test(`the recycle bin does not hold a unique value, so an undelete can be refused ${evidence('assumed', 'common reports')}`, () => {
    const id = insert('Thing__c', { Name: 'x', Ext__c: 'a' });
    org.write((t) => t.delete('Thing__c', id));
    insert('Thing__c', { Name: 'y', Ext__c: 'a' });
    expect(refusal(() => org.write((t) => t.undelete('Thing__c', id))).errorCode).toBe('DUPLICATE_VALUE');
  });

  test(`upsert inserts, then updates, and refuses to choose ${evidence('documented', 'REST API Developer Guide, Insert or Update (Upsert) a Record')}`, () => {
    const first = org.write((t) => t.upsert('Thing__c', 'Ext__c', 'k1', { Name: 'x' }));
    const second = org.write((t) => t.upsert('Thing__c', 'ext__C', 'K1', { Name: 'y' }));
    expect([first.created, second.created, second.id]).toEqual([true, false, first.id]);
    expect(one('SELECT Name, Ext__c FROM Thing__c')).toMatchObject({ Name: 'y', Ext__c: 'k1' });
    const twins = [insert('Thing__c', { Name: 'a', Loose__c: 't' }), insert('Thing__c', { Name: 'b', Loose__c: 't' })];
    const error = refusal(() => org.write((t) => t.upsert('Thing__c', 'Loose__c', 't', { Name: 'c' })));
    expect([error.errorCode, error.httpStatus, error.fields]).toEqual(['MULTIPLE_CHOICES', 300, twins]);
    expect(refusal(() => org.write((t) => t.upsert('Thing__c', 'Text__c', 't', {}))).httpStatus).toBe(404);
  });

  test(`within one transaction too ${evidence('assumed', 'follows from the transaction being one')}`, () => {
    const error = refusal(() =>
      org.write((t) => {
        t.insert('Thing__c', { Name: 'x', Ext__c: 'a' });
        t.insert('Thing__c', { Name: 'y', Ext__c: 'A' });
      }),
    );
    expect(error.errorCode).toBe('DUPLICATE_VALUE');
    const made = org.write((t) => [
      t.upsert('Thing__c', 'Ext__c', 'n', { Name: 'x' }),
      t.upsert('Thing__c', 'Ext__c', 'n', { Name: 'y' }),
    ]);
    expect(made.map((outcome) => outcome.created)).toEqual([true, false]);
  });

  test(`a key is the record's that has it now, whatever the transaction did and undid before ${evidence('assumed', 'follows from the transaction being one')}`, () => {
    org.write((t) => {
      const { id } = t.insert('Thing__c', { Name: 'x', Ext__c: 'a' });
      t.update('Thing__c', id, { Ext__c: 'b' });
      // Given up: it is another's to take, and to give up in turn.
      const other = t.upsert('Thing__c', 'Ext__c', 'a', { Name: 'y' });
      expect(other.created).toBe(true);
      const before = t.savepoint();
      t.update('Thing__c', id, { Ext__c: 'c' });
      t.delete('Thing__c', other.id);
      t.rollbackTo(before);
      expect(t.upsert('Thing__c', 'Ext__c', 'b', {})).toMatchObject({ id, created: false });
      expect(refusal(() => t.insert('Thing__c', { Name: 'z', Ext__c: 'A' })).errorCode).toBe('DUPLICATE_VALUE');
      expect(t.upsert('Thing__c', 'Ext__c', 'c', { Name: 'z' }).created).toBe(true);
    });
    expect(records(org, 'SELECT Name, Ext__c FROM Thing__c ORDER BY Ext__c')).toMatchObject([
      { Name: 'y', Ext__c: 'a' },
      { Name: 'x', Ext__c: 'b' },
      { Name: 'z', Ext__c: 'c' },
    ]);
  });

  test(`a parent can be named by its external id ${evidence('assumed', 'Bulk API 2.0 Guide, Relationship Fields in a Header Row; the wording of the refusal from common reports')}`, () => {
    const master = insert('Thing__c', { Name: 'm', Ext__c: 'M1' });
    insert('Thing__c', { Name: 'p', 'Master__r.Ext__c': 'm1' });
    expect(one("SELECT Master__c FROM Thing__c WHERE Name = 'p'").Master__c).toBe(master);
    const error = refusal(() => insert('Thing__c', { Name: 'p', 'Master__r.Ext__c': 'zz' }));
    expect(error.message).toBe('Foreign key external ID: zz not found for field Ext__c in entity Thing__c');
  });
});

describe('deleting', () => {
  test(`is soft: the row stays for queryAll, moved in time, and comes back ${evidence('assumed', 'soft deletes are documented; that undelete moves SystemModstamp is not')}`, () => {
    const id = insert('Thing__c', { Name: 'x' });
    clock.advance(5000);
    org.write((t) => t.delete('Thing__c', id));
    expect(records(org, 'SELECT Id FROM Thing__c')).toEqual([]);
    expect(org.retrieve('Thing__c', id, 'v62.0')).toBeUndefined();
    expect(one('SELECT IsDeleted, SystemModstamp FROM Thing__c', true)).toMatchObject({
      IsDeleted: true,
      SystemModstamp: '2024-05-22T13:05:14.000+0000',
    });
    expect(refusal(() => update('Thing__c', id, { Name: 'y' }))).toMatchObject({
      errorCode: 'ENTITY_IS_DELETED',
      httpStatus: 404,
    });
    expect(refusal(() => org.write((t) => t.delete('Thing__c', id))).message).toBe('entity is deleted');
    clock.advance(5000);
    org.write((t) => t.undelete('Thing__c', id));
    expect(one('SELECT IsDeleted, SystemModstamp FROM Thing__c')).toMatchObject({
      IsDeleted: false,
      SystemModstamp: '2024-05-22T13:05:19.000+0000',
    });
  });

  test(`takes the children of cascading lookups along, and brings back those ${evidence('assumed', 'describe: cascadeDelete; undelete restores a cascade')}`, () => {
    const master = insert('Thing__c', { Name: 'm' });
    const child = insert('Thing__c', { Name: 'c', Master__c: master });
    insert('Thing__c', { Name: 'g', Master__c: child });
    const early = insert('Thing__c', { Name: 'early', Master__c: master });
    org.write((t) => t.delete('Thing__c', early));
    clock.advance(1000);
    org.write((t) => t.delete('Thing__c', master));
    expect(records(org, 'SELECT Id FROM Thing__c')).toEqual([]);
    org.write((t) => t.undelete('Thing__c', master));
    expect(records(org, 'SELECT Name FROM Thing__c ORDER BY Name').map((row) => row.Name)).toEqual(['c', 'g', 'm']);
  });

  test(`empties other lookups, which the system modification stamp shows ${evidence('assumed', 'lookup option "Clear the value of this field"')}`, () => {
    const account = insert('Account', { Name: 'a' });
    insert('Thing__c', { Name: 'x', Account__c: account });
    clock.advance(1000);
    org.write((t) => t.delete('Account', account));
    expect(one('SELECT Account__c, SystemModstamp, LastModifiedDate FROM Thing__c')).toMatchObject({
      Account__c: null,
      SystemModstamp: '2024-05-22T13:05:10.000+0000',
      LastModifiedDate: '2024-05-22T13:05:09.000+0000',
    });
  });

  test(`what comes out of the recycle bin does not refer to what went there since ${evidence('assumed', 'lookup option "Clear the value of this field"')}`, () => {
    const account = insert('Account', { Name: 'a' });
    const id = insert('Thing__c', { Name: 'x', Account__c: account });
    org.write((t) => t.delete('Thing__c', id));
    org.write((t) => t.delete('Account', account));
    org.write((t) => t.undelete('Thing__c', id));
    expect(one('SELECT Account__c FROM Thing__c')).toMatchObject({ Account__c: null });
  });

  test(`is refused where a lookup forbids it ${evidence('recorded', 'describe of Account: Cases restrict the delete')}`, () => {
    const account = insert('Account', { Name: 'a' });
    insert('Case', { AccountId: account });
    expect(refusal(() => org.write((t) => t.delete('Account', account))).errorCode).toBe('DELETE_FAILED');
    expect(records(org, 'SELECT Id FROM Account')).toHaveLength(1);
  });

  test(`for good leaves nothing but an entry among the deleted ${evidence('assumed', 'the delete log outlives the recycle bin')}`, () => {
    const [binned, alive] = [insert('Thing__c', { Name: 'x' }), insert('Thing__c', { Name: 'y' })];
    org.write((t) => t.delete('Thing__c', binned));
    org.write((t) => t.purge('Thing__c', [binned, alive]));
    expect(records(org, 'SELECT Id FROM Thing__c', { all: true })).toEqual([]);
    const now = clock.now();
    const deleted = org.deleted('Thing__c', now - minuteMs, now + minuteMs).deletedRecords.map((entry) => entry.id);
    expect(deleted.sort()).toEqual([binned, alive].sort());
  });
});

describe('transactions', () => {
  const assumed = evidence('assumed', 'read committed, as in the database beneath Salesforce');

  test(`are seen by nobody before their commit, and then with the stamps of their writes ${evidence('assumed', 'long-running transactions are documented as a hazard of replication; the moment of stamping is not')}`, () => {
    const slow = org.begin();
    const { id } = slow.insert('Thing__c', { Name: 'slow' });
    clock.advance(30 * minuteMs);
    const quick = insert('Thing__c', { Name: 'quick' });
    expect(records(org, 'SELECT Id FROM Thing__c').map((row) => row.Id)).toEqual([quick]);
    slow.commit();
    expect(
      records(org, 'SELECT Id, SystemModstamp FROM Thing__c ORDER BY SystemModstamp').map((row) => [row.Id, row.SystemModstamp]),
    ).toEqual([
      [id, '2024-05-22T13:05:09.000+0000'],
      [quick, '2024-05-22T13:35:09.000+0000'],
    ]);
  });

  test(`stamp whole seconds ${evidence('documented', 'Object Reference, System Fields')}`, () => {
    clock.freeze(Date.parse('2024-05-22T13:05:09.999Z'));
    insert('Thing__c', { Name: 'x' });
    expect(one('SELECT SystemModstamp FROM Thing__c').SystemModstamp).toBe('2024-05-22T13:05:09.000+0000');
  });

  test(`leave nothing behind when they are rolled back or fail ${assumed}`, () => {
    const transaction = org.begin();
    transaction.insert('Thing__c', { Name: 'x' });
    transaction.rollback();
    expect(() => transaction.commit()).toThrow('is over');
    refusal(() =>
      org.write((t) => {
        t.insert('Thing__c', { Name: 'y' });
        t.insert('Thing__c', {});
      }),
    );
    expect(records(org, 'SELECT Id FROM Thing__c')).toEqual([]);
  });

  test(`go on after a refused write, without it ${evidence('documented', 'REST API Developer Guide, allOrNone')}`, () => {
    org.write((t) => {
      t.insert('Thing__c', { Name: 'good' });
      refusal(() => t.insert('Thing__c', { Text__c: 'no name' }));
    });
    expect(records(org, 'SELECT Name FROM Thing__c')).toHaveLength(1);
  });

  test(`lock what they wrote until they end ${evidence('assumed', 'the code was seen; a real org waits some seconds before it refuses')}`, () => {
    const id = insert('Thing__c', { Name: 'x' });
    const slow = org.begin();
    slow.update('Thing__c', id, { Text__c: 'slow' });
    expect(refusal(() => update('Thing__c', id, { Text__c: 'quick' })).errorCode).toBe('UNABLE_TO_LOCK_ROW');
    slow.commit();
    update('Thing__c', id, { Number__c: 1 });
    expect(one('SELECT Text__c, Number__c FROM Thing__c')).toMatchObject({ Text__c: 'slow', Number__c: 1 });
  });

  test(`check uniqueness and parents again at the commit ${assumed}`, () => {
    const slow = org.begin();
    slow.insert('Thing__c', { Name: 'slow', Ext__c: 'a' });
    insert('Thing__c', { Name: 'quick', Ext__c: 'a' });
    expect(refusal(() => slow.commit()).errorCode).toBe('DUPLICATE_VALUE');
    const account = insert('Account', { Name: 'a' });
    const child = org.begin();
    child.insert('Thing__c', { Name: 'child', Account__c: account });
    org.write((t) => t.delete('Account', account));
    expect(refusal(() => child.commit()).errorCode).toBe('ENTITY_IS_DELETED');
    expect(records(org, 'SELECT Name FROM Thing__c')).toHaveLength(1);
  });
});

describe('objects', () => {
  test(`an unknown object, a wrong id and a missing record ${evidence('assumed', 'codes of REST API Developer Guide; which one applies to a missing record')}`, () => {
    expect(refusal(() => insert('Nope', {})).httpStatus).toBe(404);
    expect(refusal(() => update('Thing__c', '001000000000001AAA', {})).errorCode).toBe('MALFORMED_ID');
    expect(refusal(() => update('Thing__c', 'a00000000000009AAA', {})).errorCode).toBe('INVALID_CROSS_REFERENCE_KEY');
  });

  test(`a field added to a running org can be written at once; a removed one is gone and its rows stay ${evidence('assumed', 'Metadata API')}`, () => {
    const id = insert('Thing__c', { Name: 'x', Text__c: 'old' });
    const base = test_.schema.object('Thing__c')!;
    const model = test_.schema.field('Thing__c', 'Text__c')!;
    test_.schema.add({ ...base, fields: [{ ...model, name: 'New__c', label: 'New' }] });
    update('Thing__c', id, { New__c: 'value' });
    expect(one('SELECT New__c, Text__c FROM Thing__c')).toMatchObject({ New__c: 'value', Text__c: 'old' });
    test_.schema.removeField('Thing__c', 'Text__c');
    expect(refusal(() => records(org, 'SELECT Text__c FROM Thing__c')).errorCode).toBe('INVALID_FIELD');
    expect(one('SELECT New__c FROM Thing__c').New__c).toBe('value');
  });

  describe('a field that was removed', () => {
    const removed = evidence('documented', 'Salesforce Help, Delete Custom Fields: the field and its data are gone');
    const addAgain = (name: string, changes: object) => {
      const model = test_.schema.field('Thing__c', 'Text__c')!;
      const base = test_.schema.object('Thing__c')!;
      test_.schema.add({ ...base, fields: [{ ...model, name, label: name, ...changes }] });
    };
    const added = { type: 'double', soapType: 'xsd:double', precision: 18, scale: 2, length: 0, byteLength: 0 } as const;
    const textual = { type: 'string', soapType: 'xsd:string', precision: 0, scale: 0, length: 20, byteLength: 60 } as const;

    test(`begins empty when there is one of its name again, of whatever type ${removed}`, () => {
      addAgain('Later__c', { externalId: true, unique: true });
      const id = insert('Thing__c', { Name: 'x', Later__c: 'old' });
      test_.schema.removeField('Thing__c', 'Later__c');
      addAgain('Later__c', added);
      expect(one('SELECT Later__c FROM Thing__c').Later__c).toBeNull();
      update('Thing__c', id, { Later__c: 1.5 });
      expect(records(org, 'SELECT Id FROM Thing__c WHERE Later__c > 1')).toHaveLength(1);
      test_.schema.removeField('Thing__c', 'Later__c');
      addAgain('Later__c', { type: 'boolean', soapType: 'xsd:boolean', length: 0, nillable: false, defaultValue: false });
      expect(one('SELECT Later__c FROM Thing__c').Later__c).toBe(false);
    });

    test(`is not written by a transaction that had it before ${evidence('assumed', 'a deployment waits for open transactions')}`, () => {
      addAgain('Later__c', { externalId: true, unique: true });
      const id = insert('Thing__c', { Name: 'x', Later__c: 'old' });
      const open = org.begin();
      open.update('Thing__c', id, { Later__c: 'newer', Name: 'y' });
      open.insert('Thing__c', { Name: 'z', Later__c: 'other' });
      test_.schema.removeField('Thing__c', 'Later__c');
      addAgain('Later__c', added);
      insert('Thing__c', { Name: 'beside' });
      const seen = org.query('SELECT Name, Later__c FROM Thing__c ORDER BY Name', { transaction: open });
      expect(seen.page(0, 9, 'v62.0')).toMatchObject([
        { Name: 'beside' },
        { Name: 'y', Later__c: null },
        { Name: 'z', Later__c: null },
      ]);
      open.commit();
      expect(records(org, 'SELECT Name FROM Thing__c WHERE Later__c = null ORDER BY Name')).toHaveLength(3);
    });

    test(`keeps a query from being read on ${evidence('assumed', 'no guide says what becomes of a cursor')}`, () => {
      insert('Thing__c', { Name: 'x', Text__c: 'old' });
      const result = org.query('SELECT Text__c FROM Thing__c');
      test_.schema.removeField('Thing__c', 'Text__c');
      expect(refusal(() => result.page(0, 1, 'v62.0')).errorCode).toBe('INVALID_QUERY_LOCATOR');
    });

    test(`or has another type now: numbers stay as text, all else goes ${evidence('documented', 'Salesforce Help, Notes on Changing Custom Field Types')}`, () => {
      addAgain('Later__c', added);
      insert('Thing__c', { Name: 'a', Later__c: 5 });
      insert('Thing__c', { Name: 'b', Later__c: 0.25 });
      addAgain('Later__c', textual);
      expect(records(org, 'SELECT Later__c FROM Thing__c ORDER BY Name')).toMatchObject([
        { Later__c: '5' },
        { Later__c: '0.25' },
      ]);
      addAgain('Later__c', added);
      expect(records(org, 'SELECT Later__c FROM Thing__c WHERE Later__c != null')).toEqual([]);
    });
  });
});
