import { RequestRefusedError, seededRandom, TransientError } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SalesforceReply } from '../errors.ts';
import type { Outcome } from './outcome.ts';
import { sendPatiently } from './send-patiently.ts';

// Every record gets an answer of its own, whatever its neighbours do: it is written once, or named with what keeps it out.   (P2)

interface Record {
  /** The org refuses any call that holds it. */
  readonly poison: boolean;
  /** So many calls find it locked. */
  readonly locked: number;
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const context = { connection: 'crm', clock: { now: () => 0, sleep: async () => {} }, random: seededRandom(1), log: quiet };
const refusal = (code: string) => new RequestRefusedError(`refused [${code}]`, { cause: new SalesforceReply(code, 400) });

async function send(records: readonly Record[], callMax: number) {
  const tries = records.map(() => 0);
  const written = records.map(() => 0);
  const sizes: number[] = [];
  const call = async (chunk: readonly Record[]): Promise<Outcome[]> => {
    sizes.push(chunk.length);
    if (chunk.some(({ poison }) => poison)) throw refusal('JSON_PARSER_ERROR');
    return chunk.map((record) => {
      const i = records.indexOf(record);
      if (tries[i]!++ < record.locked)
        return { ok: false, reason: { code: 'UNABLE_TO_LOCK_ROW', message: 'locked' }, fields: [] };
      written[i]!++;
      return { ok: true, created: true };
    });
  };
  const lockOf = (record: Record) => String(records.indexOf(record) % 3);
  const outcomes = await sendPatiently(records, { context, callMax, lockOf, call, signal: new AbortController().signal });
  return { outcomes, written, sizes };
}

test('whatever is bad or locked, the others are written, and once', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ poison: fc.boolean(), locked: fc.nat(4) }), { maxLength: 18 }),
      fc.integer({ min: 1, max: 200 }),
      async (records, callMax) => {
        const { outcomes, written, sizes } = await send(
          records.map((record) => ({ ...record })),
          callMax,
        );
        outcomes.forEach((outcome, i) => {
          const { poison, locked } = records[i]!;
          const good = !poison && locked < 3;
          expect(outcome.ok).toBe(good);
          expect(written[i]).toBe(good ? 1 : 0);
          if (!outcome.ok) expect(outcome.reason.code).toBe(poison ? 'JSON_PARSER_ERROR' : 'UNABLE_TO_LOCK_ROW');
        });
        expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(callMax);
      },
    ),
  ));

test('an org that refuses everything is found out after twenty records, and nobody is blamed (P8)', async () => {
  let calls = 0;
  const call = async () => {
    calls++;
    throw refusal('INVALID_TYPE');
  };
  const records = Array.from({ length: 2000 }, (_, i) => i);
  const sending = { context, callMax: 200, lockOf: String, call, signal: new AbortController().signal };
  await expect(sendPatiently(records, sending)).rejects.toThrow('INVALID_TYPE');
  expect(calls).toBeLessThan(60);
});

test('what stays locked is not tried one by one when it is many (P8)', async () => {
  const records = Array.from({ length: 1000 }, () => ({ poison: false, locked: 100 }));
  const { outcomes, sizes } = await send(records, 200);
  expect(outcomes.every(({ ok }) => !ok)).toBe(true);
  expect(sizes).toHaveLength(5 + 40);
});

test('what must not be done twice is not sent again after a fault of which nobody knows what it did', async () => {
  let calls = 0;
  const call = async (chunk: readonly number[]): Promise<Outcome[]> => {
    if (++calls === 2) throw new TransientError('broken off', { cause: new SalesforceReply('UNKNOWN_EXCEPTION', 500) });
    return chunk.map(() => ({ ok: true, created: true }));
  };
  const sending = { context, callMax: 2, lockOf: String, once: { begun: false }, call, signal: new AbortController().signal };
  const outcomes = await sendPatiently([1, 2, 3, 4, 5], sending);
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, false, true]);
  expect(calls).toBe(3);
});

// A record may be changed or deleted by somebody while a process sleeps, or a reply takes its time.                        (P7)
test('what was decided a moment ago is not sent later: locked records stay refused, others are decided anew', async () => {
  const nowMs = { value: 0 };
  const sent: number[][] = [];
  const send = (callTakesMs: number, locked: boolean) => {
    const clock = { now: () => nowMs.value, sleep: async () => {} };
    const call = async (chunk: readonly number[]): Promise<Outcome[]> => {
      sent.push([...chunk]);
      nowMs.value += callTakesMs;
      if (!locked) return chunk.map(() => ({ ok: true, created: false }));
      return chunk.map(() => ({ ok: false, reason: { code: 'UNABLE_TO_LOCK_ROW', message: 'locked' }, fields: [] }));
    };
    const sending = { context: { ...context, clock }, callMax: 2, lockOf: String, call, signal: new AbortController().signal };
    return sendPatiently([1, 2, 3], { ...sending, momentary: true });
  };
  expect((await send(8_000, true)).map(({ ok }) => ok)).toEqual([false, false, false]);
  expect(sent.splice(0)).toEqual([[1, 2], [3]]);
  await expect(send(20_000, false)).rejects.toThrow(TransientError);
  expect(sent.splice(0)).toEqual([[1, 2]]);
  await send(100, true);
  expect(sent).toEqual([[1, 2], [3], [1, 2], [3], [1], [2], [3]]);
});
