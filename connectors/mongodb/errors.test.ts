import { AccessDeniedError, NotConnectedError, RequestRefusedError, TransientError } from '@tidemark/core';
import { MongoInvalidArgumentError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { expect, test } from 'vitest';
import { faultOf, rejectionOf } from './errors.ts';

// What the driver throws, and what the engine is to do about it.

const server = (code: number, message: string, labels: string[] = []) => {
  return new MongoServerError({ message, code, errorLabels: labels });
};

test.each([
  ['a wrong password', server(18, 'Authentication failed.'), AccessDeniedError, /Check user, password and authSource/],
  ['a password that Atlas refuses', server(8000, 'bad auth'), AccessDeniedError, /Check user, password/],
  ['a missing right', server(13, 'not authorized on app'), AccessDeniedError, /readWrite on the database/],
  ['a server that is lost', new MongoNetworkError('connection 1 closed'), NotConnectedError, null],
  ['a primary that steps down', server(189, 'primary stepped down'), TransientError, null],
  ['a lock', server(24, 'lock timeout'), TransientError, null],
  ['a write that may be repeated', server(1, 'x', ['RetryableWriteError']), TransientError, null],
  ['a command that is none', server(59, 'no such command'), RequestRefusedError, null],
])('%s', (_, error, kind, hint) => {
  const fault = faultOf(error) as RequestRefusedError;
  expect(fault).toBeInstanceOf(kind);
  if (hint !== null) expect(fault.hint).toMatch(hint);
});

test('a search for a server that ends at one which refuses us is about the login, and not about the network', () => {
  const found = new MongoServerSelectionError('Authentication failed.', { servers: new Map() } as never);
  Object.defineProperty(found, 'cause', { value: server(18, 'Authentication failed.') });
  expect(faultOf(found)).toBeInstanceOf(AccessDeniedError);
});

test.each([
  ['a validator', server(121, 'Document failed validation'), '121'],
  ['a unique index', server(11000, 'E11000 duplicate key'), '11000'],
  ['an object that is too large for the server', server(10334, 'BSONObj size is invalid'), '10334'],
  [
    'a document that the driver measures',
    new MongoInvalidArgumentError('Document is larger than the maximum size 16777216'),
    '10334',
  ],
  ['a document that has no room in a message', new RangeError('offset out of range'), '10334'],
])('%s refuses one document, and no other (P2)', (_, error, code) => {
  expect(rejectionOf(error)).toMatchObject({ code });
  expect(rejectionOf(faultOf(error))).toMatchObject({ code });
});

test('what is about more than one document is no refusal of it', () => {
  for (const error of [server(13, 'no'), server(189, 'no'), new MongoNetworkError('no'), new Error('no')]) {
    expect(rejectionOf(faultOf(error))).toBeNull();
  }
});
