import { type ChangeStreamDocument, MongoNetworkError, MongoServerError, ObjectId, Timestamp } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { decodeToken, encodeToken, endsStream, eventOf, isPassing, streamFaultOf } from './stream-event.ts';

const id = new ObjectId();
const change = (operationType: string, more: object = {}) =>
  ({
    _id: { _data: '8263' },
    operationType,
    ns: { db: 'app', coll: 'contacts' },
    documentKey: { _id: id },
    clusterTime: new Timestamp({ t: 1_700_000_000, i: 3 }),
    ...more,
  }) as unknown as ChangeStreamDocument;

describe('what a change stream tells, as events', () => {
  test.each(['insert', 'update', 'replace'])('%s names a record that is then read', (operationType) => {
    const event = eventOf(change(operationType, { fullDocument: { _id: id, Name: 'old by now' } }), 'contacts', 9);
    expect(event).toMatchObject({ op: 'gap', keys: [id.toHexString()], row: null, stampMs: null, dataset: 'contacts' });
    expect(event.committedAtMs).toBe(1_700_000_000_000);
    expect(decodeToken(event.position)).toEqual({ _data: '8263' });
  });

  test('delete names a record that is gone; keys are texts whatever they were', () => {
    expect(eventOf(change('delete'), 'contacts', 9)).toMatchObject({ op: 'delete', keys: [id.toHexString()] });
    expect(eventOf(change('delete', { documentKey: { _id: 7 } }), 'contacts', 9).keys).toEqual(['7']);
  });

  test.each(['drop', 'rename', 'dropDatabase', 'invalidate'])('%s is about every record (P5)', (operationType) => {
    expect(eventOf(change(operationType, { documentKey: undefined }), 'contacts', 9)).toMatchObject({ op: 'overflow', keys: [] });
  });

  test('the stream ends with its database, and with no collection of it', () => {
    const ends = ['insert', 'drop', 'rename', 'dropDatabase', 'invalidate'].map((operationType) =>
      endsStream(change(operationType)),
    );
    expect(ends).toEqual([false, false, false, true, true]);
  });

  test('changes of one transaction belong together; others are each their own (P6)', () => {
    const session = { lsid: { id: 'x' }, txnNumber: 1 };
    const of = (token: string, more: object) =>
      eventOf(change('insert', { _id: { _data: token }, ...more }), 'contacts', 9).transaction;
    expect(of('1', session)).toBe(of('2', session));
    expect(of('1', session)).not.toBe(of('1', { ...session, txnNumber: 2 }));
    expect(of('1', {})).not.toBe(of('2', {}));
  });

  test('a time that is not told is that of its coming', () => {
    expect(eventOf(change('insert', { clusterTime: undefined }), 'contacts', 9).committedAtMs).toBe(9);
    expect(eventOf(change('insert', { wallTime: new Date(77) }), 'contacts', 9).committedAtMs).toBe(77);
  });
});

describe('what becomes of a stream that breaks', () => {
  const server = (code: number) => new MongoServerError({ message: 'broken', code });

  test.each([
    ['ChangeStreamHistoryLost is a hole that is read again (P5)', server(286), 'checkpoint_expired', false],
    ['a token that means nothing', server(260), 'checkpoint_expired', false],
    ['a fatal error of the stream', server(280), 'checkpoint_expired', false],
    ['a server without an oplog', server(40573), 'request_refused', false],
    ['a missing right', server(13), 'access_denied', false],
    ['a primary that steps down', server(189), 'transient', true],
    ['a connection that is lost', new MongoNetworkError('closed'), 'not_connected', true],
  ])('%s', (_, error, code, passing) => {
    const fault = streamFaultOf(error);
    expect(fault).toMatchObject({ code });
    expect(isPassing(fault)).toBe(passing);
  });

  test('a position is opaque and comes back as it was; one of another kind has expired', () => {
    const token = { _data: '82', _typeBits: Buffer.from([1, 2]) };
    expect(JSON.stringify(decodeToken(encodeToken(token)))).toContain('82');
    for (const position of ['', 'pubsub:AAAA', '{"at":1}', '{"token":3}'])
      expect(() => decodeToken(position)).toThrow('none of a change');
  });
});
