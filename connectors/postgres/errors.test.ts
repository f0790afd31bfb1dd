import { inspect } from 'node:util';
import {
  AccessDeniedError,
  NotConnectedError,
  RequestRefusedError,
  SchemaChangedError,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { copyLineOf, isAboutARecord, rejectionOf, toSyncError } from './errors.ts';

const failure = (code: string, message: string, more: object = {}) => Object.assign(new Error(message), { code, ...more });

describe('errors', () => {
  test.each([
    ['08006', NotConnectedError],
    ['57P01', NotConnectedError],
    ['25P03', NotConnectedError],
    ['ECONNREFUSED', NotConnectedError],
    ['53300', NotConnectedError],
    ['53100', TransientError],
    ['40001', TransientError],
    ['40P01', TransientError],
    ['55P03', TransientError],
    ['28P01', AccessDeniedError],
    ['42501', AccessDeniedError],
    ['25006', AccessDeniedError],
    ['3D000', RequestRefusedError],
    ['42P01', SchemaChangedError],
    ['42601', RequestRefusedError],
  ] as const)('%s becomes what the engine does next', (code, kind) => {
    expect(toSyncError(failure(code, 'it went wrong'))).toBeInstanceOf(kind);
  });

  test('what has no code of the server is a lost connection or not ours', () => {
    expect(toSyncError(new Error('Connection terminated unexpectedly'))).toBeInstanceOf(NotConnectedError);
    const other = new RangeError('of our own');
    expect(toSyncError(other)).toBe(other);
  });

  // Row values are somebody's personal data, and messages end in logs, tickets and chats (P10).
  test('no value of a row gets into a message, a cause or its stack', () => {
    const refused = failure('22P02', 'invalid input syntax for type integer: "secret "quoted" value"', {
      detail: 'Key (email)=(secret@example.com) already exists.',
      where: 'COPY stage, line 7, column count: "secret"',
    });
    const columns = [{ rawName: 'count', field: { name: 'Count' } }];
    expect(rejectionOf(refused, columns)).toEqual({
      code: '22P02',
      message: 'invalid input syntax for type integer (field Count)',
    });
    expect(copyLineOf(refused)).toBe(7);
    const error = toSyncError(failure('42804', 'value "secret" is out of range')) as Error;
    expect(`${error.message} ${error.stack} ${error.cause} ${(error.cause as Error).stack}`).not.toContain('secret');
    expect(rejectionOf(failure('22003', 'value "secret" is out of range for type integer'), []).message).toBe(
      'value is out of range for type integer',
    );
  });

  // Whatever the server may say of a value, by a code that we know or not, in class 22 or by a trigger of the user's.
  test.each([
    ['22P02', 'invalid input syntax for type integer: "secret"', RequestRefusedError],
    ['22P02', 'invalid input value for enum mood: "secret "quoted""', RequestRefusedError],
    ['22003', '"secret" is out of range for type double precision', RequestRefusedError],
    ['22007', 'invalid value "secret" for "YYYY"', RequestRefusedError],
    ['22023', 'time zone "secret" not recognized', RequestRefusedError],
    ['23505', 'Duplikat »secret«', RequestRefusedError],
    ['P0001', 'nobody may be called secret', RequestRefusedError],
    ['HV000', 'remote: secret', UnexpectedReplyError],
    ['XX000', `unrecognized: "secret" and 'secret'`, UnexpectedReplyError],
  ] as const)('%s: %s is told without the value (P10)', (code, message, kind) => {
    const told = toSyncError(failure(code, message, { detail: 'Key (a)=(secret)', where: 'COPY t, line 1: "secret"' }));
    expect(told).toBeInstanceOf(kind);
    expect(inspect(told, { depth: 5 })).not.toContain('secret');
    expect((told as Error).message).toContain(code);
    if (code.startsWith('22')) expect(rejectionOf(failure(code, message), []).message).not.toContain('secret');
  });

  test('a constraint is named, and a code of Node is not taken for one of the server', () => {
    const broken = toSyncError(failure('23514', 'new row …', { constraint: 'positive' })) as Error;
    expect(broken.message).toBe('PostgreSQL: a row breaks a check constraint: constraint positive (23514)');
    const ours = failure('EPERM', 'not permitted');
    expect(toSyncError(ours)).toBe(ours);
  });

  test('the field of a violated constraint is named', () => {
    const refused = failure('23505', 'duplicate key value violates unique constraint "u"', {
      detail: 'Key (email)=(a) already exists.',
    });
    expect(rejectionOf(refused, [{ rawName: 'email', field: { name: 'Email' } }]).message).toBe(
      'duplicate key value violates unique constraint "u" (field Email)',
    );
  });

  test('what is about one record is told from what is about the whole', () => {
    for (const code of ['22001', '23514', '44000', 'P0001', '54000']) expect(isAboutARecord(failure(code, ''))).toBe(true);
    for (const code of ['42P01', '40001', 'ECONNRESET', '53100']) expect(isAboutARecord(failure(code, ''))).toBe(false);
  });
});
