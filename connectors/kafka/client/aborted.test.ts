import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AbortedTransaction, type BatchFacts, committedBatches } from './aborted.ts';

// What a transaction wrote that was given up was never written; what others wrote meanwhile was.                        (P1)

const TRANSACTIONAL = 16;
const CONTROL = 32;

interface Step {
  readonly producer: number;
  readonly does: 'write' | 'write alone' | 'commit' | 'abort';
}

/** A partition as its broker keeps it, and what of it was committed in the end. */
function logOf(steps: readonly Step[]) {
  const batches: (BatchFacts & { name: string })[] = [];
  const aborted: (AbortedTransaction & { last: bigint })[] = [];
  const committed = new Set<string>();
  const open = new Map<number, { first: bigint; names: string[] }>();
  let offset = 0n;
  const append = (producer: number, attributes: number, records: BatchFacts['records']) => {
    const name = `${offset}`;
    batches.push({
      name,
      firstOffset: offset,
      lastOffsetDelta: records.length - 1,
      attributes,
      producerId: BigInt(producer),
      records,
    });
    offset += BigInt(records.length);
    return name;
  };
  const end = (producer: number, isCommit: boolean) => {
    const transaction = open.get(producer);
    // A marker is written for partitions that were only announced as well.
    const at = offset;
    append(producer, TRANSACTIONAL | CONTROL, [{ key: Buffer.from([0, 0, 0, isCommit ? 1 : 0]) }]);
    open.delete(producer);
    if (transaction === undefined) return;
    if (isCommit) for (const name of transaction.names) committed.add(name);
    else aborted.push({ producerId: BigInt(producer), firstOffset: transaction.first, last: at });
  };
  for (const { producer, does } of steps) {
    if (does === 'write alone') committed.add(append(producer + 10, 0, [{ key: null }]));
    else if (does === 'write') {
      const transaction = open.get(producer) ?? { first: offset, names: [] };
      open.set(producer, transaction);
      transaction.names.push(append(producer, TRANSACTIONAL, [{ key: null }, { key: null }]));
    } else end(producer, does === 'commit');
  }
  for (const producer of [...open.keys()]) end(producer, true);
  return { batches, aborted, committed, end: offset };
}

const step = fc.record({
  producer: fc.integer({ min: 0, max: 2 }),
  does: fc.constantFrom('write', 'write', 'write alone', 'commit', 'abort') as fc.Arbitrary<Step['does']>,
});

test('of any log, read in any pieces, exactly what was committed is told', () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.array(fc.nat(40), { maxLength: 6 }), (steps, cuts) => {
      const { batches, aborted, committed, end } = logOf(steps);
      const borders = [...new Set([0, ...cuts.map((cut) => Math.min(cut, batches.length)), batches.length])].sort(
        (a, b) => a - b,
      );
      const told = borders.slice(1).flatMap((to, i) => {
        const piece = batches.slice(borders[i]!, to);
        // The broker tells the aborted transactions that touch what it gives.
        const [from, until] = [piece[0]?.firstOffset ?? end, piece.at(-1)?.firstOffset ?? end];
        const listed = aborted.filter(({ firstOffset, last }) => last >= from && firstOffset <= until + 1n);
        return committedBatches(piece, listed.toReversed()).map(({ name }) => name);
      });
      expect(told).toEqual(batches.map(({ name }) => name).filter((name) => committed.has(name)));
    }),
  ));
