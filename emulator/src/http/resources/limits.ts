import type { Handler } from '../api-types.ts';

interface Allocation {
  readonly max: number;
  used(): number;
}

/** `GET /limits` (REST API Developer Guide, "Limits"). What the emulator does not count stays whole. */
export const limits: Handler = (_request, context) => {
  const counted = context.limits;
  const all = (max: number) => ({ Max: max, Remaining: max });
  const left = (limit: Allocation) => ({ Max: limit.max, Remaining: Math.max(0, limit.max - limit.used()) });
  return {
    status: 200,
    body: {
      DailyApiRequests: left(counted.DailyApiRequests),
      DailyBulkApiBatches: left(counted.DailyBulkApiBatches),
      DailyBulkV2QueryFileStorageMB: all(976562),
      DailyBulkV2QueryJobs: left(counted.DailyBulkV2QueryJobs),
      DailyDeliveredPlatformEvents: left(counted.DailyDeliveredPlatformEvents),
      DailyDurableStreamingApiEvents: all(10000),
      DailyStreamingApiEvents: left(counted.DailyStreamingApiEvents),
      DataStorageMB: all(1024),
      DurableStreamingApiConcurrentClients: left(counted.StreamingApiConcurrentClients),
      FileStorageMB: all(1024),
      HourlyPublishedPlatformEvents: left(counted.HourlyPublishedPlatformEvents),
      MonthlyPlatformEventsUsageEntitlement: all(300000),
      StreamingApiConcurrentClients: left(counted.StreamingApiConcurrentClients),
    },
  };
};
