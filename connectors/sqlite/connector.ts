import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AccessDeniedError, type Connector, type LookupSpec, type Problem, type SideSpec, SyncError } from '@tidemark/core';
import { openCapture } from './capture/reader.ts';
import { installCapture, planCapture, removeCapture } from './capture/schema.ts';
import { type RunInProcess, SqliteClient } from './client.ts';
import {
  type SqliteConfig,
  type SqliteFrom,
  type SqliteLookup,
  type SqliteSideSpec,
  type SqliteTo,
  sqliteConfig,
  sqliteFrom,
  sqliteLookup,
  sqliteSide,
  sqliteTo,
} from './config.ts';
import { openLookup } from './lookup.ts';
import { openRows, sqliteRows } from './rows.ts';
import { openSide } from './side.ts';
import { SqliteSource, sourceLayout } from './source.ts';
import { SqliteStreamWriter } from './stream-writer.ts';
import { SqliteTarget } from './target.ts';

/** Ports that a simulation binds, beside the context's. */
export interface SqlitePorts {
  readonly runInProcess?: RunInProcess;
}

export function createConnector(ports: SqlitePorts = {}): Connector<SqliteConfig, SqliteFrom, SqliteTo> {
  return {
    name: 'sqlite',
    summary: 'SQLite as a source and a target',
    config: sqliteConfig,
    from: sqliteFrom,
    to: sqliteTo,
    side: sqliteSide,
    lookup: sqliteLookup,
    rows: sqliteRows,
    sharesDatasets: true,
    keepsHistory: true,
    open(config, context) {
      const path = resolve(context.baseDir, config.path);
      const place = `connections.${context.connection}`;
      const client = new SqliteClient({ path, busyTimeoutMs: config.busyTimeoutMs }, ports.runInProcess);
      return {
        async check() {
          const problem = await checkAccess(path, place);
          if (problem !== null) return [problem];
          if (!(await exists(path))) return [];
          try {
            await client.call('probe');
            return [];
          } catch (error) {
            return [problemOf(error, place)];
          }
        },
        discover: async () => ((await exists(path)) ? client.call('tables') : []),
        async openSource(spec) {
          await refuseNoFile(path);
          const capture = spec.from.capture ? await openCapture(client, spec.from.table!) : null;
          return new SqliteSource(client, await sourceLayout(client, spec), spec, capture, context.clock);
        },
        async planSource({ capture, table }) {
          await refuseNoFile(path);
          return capture ? planCapture(client, table!) : [];
        },
        async prepareSource({ capture, table }) {
          await refuseNoFile(path);
          return capture ? installCapture(client, table!) : [];
        },
        // Also when `capture` has left the configuration already: that is how it ends.
        async removeSource({ table }) {
          await refuseNoFile(path);
          return table === undefined ? [] : removeCapture(client, table);
        },
        async openLookup(spec) {
          await refuseNoFile(path);
          return openLookup(client, spec as LookupSpec<SqliteLookup>);
        },
        async openSide(spec) {
          await refuseNoFile(path);
          return openSide(client, spec as SideSpec<SqliteSideSpec>, context.clock);
        },
        async openRows(spec) {
          await refuseNoFile(path);
          return openRows(client, spec, context.clock);
        },
        openTarget: async (spec) => new SqliteTarget(client, spec, config.tablePrefix, context.clock),
        openStreamWriter: async (targets) => new SqliteStreamWriter(client, targets, context.clock),
        [Symbol.asyncDispose]: () => client.close(),
      };
    },
  };
}
export default createConnector();

/** Asks at once, and not in a thread of its own: of a simulated world nothing may go on outside. */
async function refuseNoFile(path: string): Promise<void> {
  if (existsSync(path)) return;
  throw new AccessDeniedError(`There is no file ${path}`, { hint: 'A source has to exist: check the path of the connection.' });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What opening the file would meet, without making it. */
async function checkAccess(path: string, place: string): Promise<Problem | null> {
  const folder = dirname(path);
  const may = (what: string, mode: number) =>
    access(what, mode).then(
      () => true,
      () => false,
    );
  if (!(await may(folder, constants.F_OK))) {
    return { place, severity: 'error', message: `there is no folder ${folder}`, hint: 'Make it, or correct the path.' };
  }
  if (await may(path, constants.F_OK)) {
    if (await may(path, constants.R_OK)) return null;
    return { place, severity: 'error', message: `${path} may not be read`, hint: 'Give the user of this process the right to.' };
  }
  if (await may(folder, constants.W_OK)) return null;
  return {
    place,
    severity: 'error',
    message: `no file can be made in ${folder}`,
    hint: 'Give the user of this process the right to.',
  };
}

function problemOf(error: unknown, place: string): Problem {
  const hint = error instanceof SyncError ? error.hint : undefined;
  return { place, severity: 'error', message: error instanceof Error ? error.message : String(error), hint };
}
