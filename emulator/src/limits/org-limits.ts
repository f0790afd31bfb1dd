import type { OrgClock } from '../org/types.ts';
import { type ConcurrentLimit, createConcurrentLimit, createLongRequests, type LongRequests } from './concurrent-limit.ts';
import { createRollingLimit, type RollingLimit } from './rolling-limit.ts';

/**
 * What an org may use in a day, an hour, at once. The names are those of `/limits`; the sizes are a Developer Edition's,
 * but for the API requests, which are those of a small production org (Salesforce Developer Limits and Allocations).
 */
export interface OrgLimits {
  readonly DailyApiRequests: RollingLimit;
  readonly DailyBulkApiBatches: RollingLimit;
  readonly DailyBulkV2QueryJobs: RollingLimit;
  /** Events delivered to subscribers over Pub/Sub and CometD; every copy counts. */
  readonly DailyDeliveredPlatformEvents: RollingLimit;
  readonly HourlyPublishedPlatformEvents: RollingLimit;
  /** PushTopic events delivered over CometD. */
  readonly DailyStreamingApiEvents: RollingLimit;
  readonly StreamingApiConcurrentClients: ConcurrentLimit;
  /** Not in `/limits`: requests that run longer than 20 s. */
  readonly longRequests: LongRequests;
  /** Not in `/limits`: objects that clients may select for Change Data Capture; 5 without an add-on. */
  readonly changeEventObjects: FixedLimit;
}

/** A number of things that the org has, counted by whoever holds them. */
export interface FixedLimit {
  max: number;
  used(): number;
}

export type LimitName = keyof OrgLimits;
export type LimitSizes = Partial<Record<LimitName, number>>;

const dayMinutes = 24 * 60;

export const limitSizes: Readonly<Record<LimitName, number>> = {
  DailyApiRequests: 100_000,
  DailyBulkApiBatches: 15_000,
  DailyBulkV2QueryJobs: 10_000,
  DailyDeliveredPlatformEvents: 10_000,
  HourlyPublishedPlatformEvents: 50_000,
  DailyStreamingApiEvents: 10_000,
  StreamingApiConcurrentClients: 20,
  longRequests: 5,
  changeEventObjects: 5,
};

/** @param counts  What the org itself counts. */
export function createOrgLimits(
  clock: OrgClock,
  sizes: LimitSizes = {},
  counts: { changeEventObjects?: () => number } = {},
): OrgLimits {
  const size = (name: LimitName) => sizes[name] ?? limitSizes[name];
  const daily = (name: LimitName) => createRollingLimit(clock, dayMinutes, size(name));
  return {
    DailyApiRequests: daily('DailyApiRequests'),
    DailyBulkApiBatches: daily('DailyBulkApiBatches'),
    DailyBulkV2QueryJobs: daily('DailyBulkV2QueryJobs'),
    DailyDeliveredPlatformEvents: daily('DailyDeliveredPlatformEvents'),
    HourlyPublishedPlatformEvents: createRollingLimit(clock, 60, size('HourlyPublishedPlatformEvents')),
    DailyStreamingApiEvents: daily('DailyStreamingApiEvents'),
    StreamingApiConcurrentClients: createConcurrentLimit(size('StreamingApiConcurrentClients')),
    longRequests: createLongRequests(clock, size('longRequests')),
    changeEventObjects: { max: size('changeEventObjects'), used: counts.changeEventObjects ?? (() => 0) },
  };
}
