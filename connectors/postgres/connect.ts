import { type ConnectorContext, postgresSettings } from '@tidemark/core';
import type { PostgresConfig } from './config.ts';

/** What the driver needs for a connection of the configuration. */
export function driverConfig(config: PostgresConfig, { connection, baseDir }: Pick<ConnectorContext, 'connection' | 'baseDir'>) {
  const options = { place: `connections.${connection}`, application: 'tidemark', ca: config.ca, baseDir };
  return { ...postgresSettings(config.url, options), max: config.poolMax };
}
