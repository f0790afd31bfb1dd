import type { Connector } from '@tidemark/core';
import { installCapture, planCapture, removeCapture } from './capture/schema.ts';
import { checkConnection, listTables } from './check.ts';
import { PostgresCheckpoints } from './checkpoints.ts';
import { type PostgresConfig, type PostgresFrom, type PostgresTo, postgresConfig, postgresFrom, postgresTo } from './config.ts';
import { driverConfig } from './connect.ts';
import { openPool } from './driver.ts';
import { openSource } from './source.ts';
import { openStreamWriter } from './stream-writer.ts';
import { PostgresTarget } from './target.ts';

const connector: Connector<PostgresConfig, PostgresFrom, PostgresTo> = {
  name: 'postgres',
  summary: 'PostgreSQL 13 and later, as a source and a target',
  config: postgresConfig,
  from: postgresFrom,
  to: postgresTo,
  open(config, context) {
    const settings = driverConfig(config, context);
    let pool: ReturnType<typeof openPool> | undefined;
    const connect = () => (pool ??= openPool(settings));
    return {
      check: () => checkConnection(connect(), config, context.connection),
      discover: () => listTables(connect(), config),
      openSource: (spec, signal) => openSource(connect(), config, spec, context.clock, signal),
      planSource: async ({ capture, table }) => (capture ? planCapture(connect(), config.schema, table!) : []),
      prepareSource: async ({ capture, table }, signal) =>
        capture ? installCapture(connect(), config.schema, table!, signal) : [],
      // Also when `capture` has left the configuration already: that is how it ends.
      removeSource: async ({ table }, signal) =>
        table === undefined ? [] : removeCapture(connect(), config.schema, table, signal),
      openTarget: async (spec) => new PostgresTarget(connect(), config, spec),
      openStreamWriter: (targets) => openStreamWriter(connect(), new PostgresCheckpoints(connect(), config.schema), targets),
      async [Symbol.asyncDispose]() {
        await pool?.end();
        pool = undefined;
      },
    };
  },
};

export default connector;
