import { FetchIsolationLevels, fetchV13, fetchV14, fetchV15, fetchV16, fetchV17, ResponseError } from '@platformatic/kafka';
import { NotConnectedError, RequestRefusedError, TransientError } from '@tidemark/core';
import { committedBatches, lastOffsetOf } from './aborted.ts';
import type { KafkaClient, TopicFacts } from './client.ts';
import { guarded } from './errors.ts';

export interface KafkaMessage {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: ReadonlyMap<string, string>;
  readonly timestampMs: number;
}

export interface Fetched {
  /** By partition in the order of their offsets. */
  readonly messages: readonly KafkaMessage[];
  /** Where to go on in each partition that was asked for: behind markers and what was aborted as well. */
  readonly next: ReadonlyMap<number, number>;
  /** Partitions that have nothing at the offset that was asked for: it was deleted meanwhile. */
  readonly outOfRange: readonly number[];
}

export interface FetchLimits {
  /** The broker waits so long for something to come. */
  readonly waitMs: number;
  readonly bytes: number;
}

type Fetch = typeof fetchV17.api;
type FetchResponse = ReturnType<typeof fetchV17.parseResponse>;
type FetchedPartition = FetchResponse['responses'][number]['partitions'][number];

/** Versions that name a topic by its id, newest first: one that was made anew is never taken for the old one. */
const VERSIONS: readonly (readonly [number, Fetch])[] = [
  [17, fetchV17.api],
  [16, fetchV16.api as unknown as Fetch],
  [15, fetchV15.api as unknown as Fetch],
  [14, fetchV14.api as unknown as Fetch],
  [13, fetchV13.api as unknown as Fetch],
];
const known = new WeakMap<KafkaClient, Promise<Fetch>>();

const OFFSET_OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC_ID = 100;

/**
 * Committed messages from these offsets on. The driver's own reader takes the messages of an aborted transaction for committed when
 * its marker comes with a later fetch, or when one producer has aborted several: so its decoding is used, and not its choice.
 * A partition whose offset is out of range yields nothing, and is named: the caller looks at its bounds.
 */
export async function fetchCommitted(
  client: KafkaClient,
  topic: TopicFacts,
  from: ReadonlyMap<number, number>,
  limits: FetchLimits,
): Promise<Fetched> {
  const byLeader = Map.groupBy(from, ([partition]) => topic.leaders[partition] ?? -1);
  const fetched = await Promise.all([...byLeader].map(([leader, part]) => fetchFrom(client, topic, leader, part, limits)));
  const partitions = fetched.flat().sort((a, b) => a.partitionIndex - b.partitionIndex);
  const next = new Map(from);
  const messages: KafkaMessage[] = [];
  const outOfRange: number[] = [];
  for (const partition of partitions) {
    if (partition.errorCode === OFFSET_OUT_OF_RANGE) outOfRange.push(partition.partitionIndex);
    const start = from.get(partition.partitionIndex)!;
    const batches = partition.records ?? [];
    const last = batches.at(-1);
    if (last !== undefined) next.set(partition.partitionIndex, Math.max(start, Number(lastOffsetOf(last)) + 1));
    for (const batch of committedBatches(batches, partition.abortedTransactions ?? [])) {
      for (const { key, value, headers, offsetDelta, timestampDelta } of batch.records) {
        const offset = Number(batch.firstOffset) + offsetDelta;
        // A batch is given whole, though it may begin before what was asked for.
        if (offset < start) continue;
        messages.push({
          partition: partition.partitionIndex,
          offset,
          key,
          value,
          headers: new Map(headers.map(([name, content]) => [String(name), String(content ?? '')])),
          timestampMs: Number(batch.firstTimestamp + timestampDelta),
        });
      }
    }
  }
  return { messages, next, outOfRange };
}

async function fetchFrom(
  client: KafkaClient,
  topic: TopicFacts,
  leader: number,
  from: readonly (readonly [number, number])[],
  { waitMs, bytes }: FetchLimits,
): Promise<readonly FetchedPartition[]> {
  const request = {
    topicId: topic.id,
    partitions: from.map(([partition, offset]) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: bytes,
    })),
  };
  return guarded(async () => {
    const broker = (await client.admin.metadata({ topics: [topic.name] })).brokers.get(leader);
    if (broker === undefined) throw new NotConnectedError(`No broker leads a partition of ${topic.name} at this moment`);
    const [fetch, connection] = await Promise.all([fetchOf(client), client.admin.connections.get(broker)]);
    const isolation = FetchIsolationLevels.READ_COMMITTED;
    const reply = await fetch.async(connection, waitMs, 1, bytes, isolation, 0, -1, [request], [], '').catch(repliedAnyway);
    const partitions = reply.responses.flatMap((each) => each.partitions);
    for (const partition of partitions) refuseFaulty(partition, topic);
    return partitions;
  });
}

/** What is wrong with one partition is no reason to throw the others away. */
function repliedAnyway(error: unknown): FetchResponse {
  const response = error instanceof ResponseError ? (error as { response?: FetchResponse }).response : undefined;
  if (response === undefined || response.errorCode !== 0) throw error;
  return response;
}

function refuseFaulty({ errorCode, partitionIndex }: FetchedPartition, { name }: TopicFacts): void {
  if (errorCode === UNKNOWN_TOPIC_ID) {
    throw new RequestRefusedError(`The topic ${name} was deleted, or made anew, while it was read`, {
      hint: 'If that is meant, reset the sync.',
    });
  }
  // A leader that has moved is found by whoever tries again.
  if (errorCode !== 0 && errorCode !== OFFSET_OUT_OF_RANGE) {
    throw new TransientError(`Partition ${partitionIndex} of ${name} cannot be read at this moment (error ${errorCode})`);
  }
}

function fetchOf(client: KafkaClient): Promise<Fetch> {
  let found = known.get(client);
  if (found === undefined) {
    found = client.admin.listApis().then((apis) => {
      const versions = apis.find(({ name }) => name === 'Fetch');
      const usable = VERSIONS.find(([version]) => version <= (versions?.maxVersion ?? 0));
      if (usable === undefined) throw new RequestRefusedError('Kafka 3.1 or newer is needed');
      return usable[1];
    });
    known.set(client, found);
    found.catch(() => known.delete(client));
  }
  return found;
}
