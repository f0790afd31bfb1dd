import type { Handler } from '../api-types.ts';

/** `GET /limits` (REST API Developer Guide, "Limits"). Of these the emulator counts API requests and query jobs. */
export const limits: Handler = (_request, { ledger, jobs }) => {
  const all = (max: number) => ({ Max: max, Remaining: max });
  const less = (max: number, used: number) => ({ Max: max, Remaining: Math.max(0, max - used) });
  return {
    status: 200,
    body: {
      DailyApiRequests: less(ledger.requestsMax, ledger.used()),
      DailyBulkApiBatches: all(15000),
      DailyBulkV2QueryFileStorageMB: all(976562),
      DailyBulkV2QueryJobs: less(10000, jobs.createdLastDay()),
      DailyDeliveredPlatformEvents: all(10000),
      DailyDurableStreamingApiEvents: all(10000),
      DailyStreamingApiEvents: all(10000),
      DataStorageMB: all(1024),
      DurableStreamingApiConcurrentClients: all(20),
      FileStorageMB: all(1024),
      HourlyPublishedPlatformEvents: all(50000),
      MonthlyPlatformEventsUsageEntitlement: all(300000),
      StreamingApiConcurrentClients: all(20),
    },
  };
};
