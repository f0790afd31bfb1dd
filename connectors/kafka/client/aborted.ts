/** What is read of a batch of records to know whether its transaction was committed. */
export interface BatchFacts {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly producerId: bigint;
  readonly records: readonly { readonly key: Buffer | null }[];
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

const IS_TRANSACTIONAL = 1 << 4;
const IS_CONTROL = 1 << 5;
const ABORT = 0;

export const lastOffsetOf = ({ firstOffset, lastOffsetDelta }: BatchFacts) => firstOffset + BigInt(lastOffsetDelta);

/**
 * The batches that hold records of committed transactions, or of none. The broker keeps back what is still open, and leaves out
 * neither markers nor what was aborted: it lists the aborted transactions, and a batch belongs to one when it lies between its first
 * record and its marker.
 * @see Apache Kafka, `FetchCollector.java` and KIP-98, "Exactly Once Delivery and Transactional Messaging"
 */
export function committedBatches<T extends BatchFacts>(batches: readonly T[], aborted: readonly AbortedTransaction[]): T[] {
  const waiting = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const underWay = new Set<bigint>();
  return batches.filter((batch) => {
    while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffsetOf(batch)) underWay.add(waiting.shift()!.producerId);
    if ((batch.attributes & IS_CONTROL) !== 0) {
      // Of a marker's key the second half tells its kind.
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) underWay.delete(batch.producerId);
      return false;
    }
    return (batch.attributes & IS_TRANSACTIONAL) === 0 || !underWay.has(batch.producerId);
  });
}
