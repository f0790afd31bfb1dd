import { startPostgres } from '../postgres.ts';
import { startKafka } from './kafka.ts';
import { startMongodb } from './mongodb.ts';
import { startRedis } from './redis.ts';
import type { ServiceName } from './test-service.ts';

/** A server by name, with data that go when it stops. @throws what is missing */
export const startService: Readonly<Record<ServiceName, () => Promise<{ readonly url: string; stop(): Promise<void> }>>> = {
  postgres: () => startPostgres({ tuning: 'fast', settings: { max_connections: '200' } }),
  redis: startRedis,
  kafka: startKafka,
  mongodb: startMongodb,
};
