import type { Connector, LookupSpec, SideSpec } from '@tidemark/core';
import { installCapture, planCapture, removeCapture } from './capture/schema.ts';
import { checkConnection, listTables } from './check.ts';
import { PostgresCheckpoints } from './checkpoints.ts';
import {
  type PostgresConfig,
  type PostgresFrom,
  type PostgresLookup,
  type PostgresSideSpec,
  type PostgresTo,
  postgresConfig,
  postgresFrom,
  postgresLookup,
  postgresSide,
  postgresTo,
} from './config.ts';
import { driverConfig } from './connect.ts';
import { openPool, type Pool } from './driver.ts';
import { openLookup } from './lookup.ts';
import { openRows, postgresRows } from './rows.ts';
import { openSide } from './side.ts';
import { openSource } from './source.ts';
import { openStreamWriter } from './stream-writer.ts';
import { PostgresTarget } from './target.ts';

/** Ports that a simulation binds, beside the context's. */
export interface PostgresPorts {
  readonly openPool: typeof openPool;
}

export function createConnector(ports: PostgresPorts = { openPool }): Connector<PostgresConfig, PostgresFrom, PostgresTo> {
  return {
    name: 'postgres',
    summary: 'PostgreSQL 13 and later, as a source and a target',
    config: postgresConfig,
    from: postgresFrom,
    to: postgresTo,
    side: postgresSide,
    lookup: postgresLookup,
    rows: postgresRows,
    sharesDatasets: true,
    keepsHistory: true,
    open(config, context) {
      const settings = driverConfig(config, context);
      let pool: Pool | undefined;
      const connect = () => (pool ??= ports.openPool(settings));
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
        openLookup: (spec, signal) => openLookup(connect(), config, spec as LookupSpec<PostgresLookup>, signal),
        openSide: (spec, signal) =>
          openSide(
            {
              pool: connect(),
              config,
              spec: spec as SideSpec<PostgresSideSpec>,
              openSource: (source) => openSource(connect(), config, source, context.clock, signal),
            },
            signal,
          ),
        openRows: (spec, signal) => openRows({ pool: connect(), config, clock: context.clock }, spec, signal),
        openTarget: async (spec) => new PostgresTarget(connect(), config, spec),
        openStreamWriter: (targets) => openStreamWriter(connect(), new PostgresCheckpoints(connect(), config.schema), targets),
        async [Symbol.asyncDispose]() {
          await pool?.end();
          pool = undefined;
        },
      };
    },
  };
}
export default createConnector();
