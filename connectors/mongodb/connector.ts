import type { Connector } from '@tidemark/core';
import {
  type MongodbConfig,
  type MongodbFrom,
  type MongodbTo,
  mongodbConfig,
  mongodbFrom,
  mongodbSide,
  mongodbTo,
} from './config.ts';
import type { openConnection } from './connection.ts';
import { mongodbRows } from './rows-place.ts';

export function createConnector(): Connector<MongodbConfig, MongodbFrom, MongodbTo> {
  return {
    name: 'mongodb',
    summary: 'MongoDB as a source, a target, and a side of a two-way sync',
    config: mongodbConfig,
    from: mongodbFrom,
    to: mongodbTo,
    side: mongodbSide,
    rows: mongodbRows,
    open(config, context) {
      // The driver is large, and whoever uses no MongoDB does without it.
      let opening: Promise<ReturnType<typeof openConnection>> | undefined;
      const opened = () => (opening ??= import('./connection.ts').then((module) => module.openConnection(config, context)));
      return {
        check: async () => (await opened()).check(),
        discover: async () => (await opened()).discover(),
        openSource: async (spec) => (await opened()).openSource(spec),
        openSide: async (spec) => (await opened()).openSide(spec),
        openRows: async (spec) => (await opened()).openRows(spec),
        openStream: async (spec) => (await opened()).openStream(spec),
        openTarget: async (spec) => (await opened()).openTarget(spec),
        async [Symbol.asyncDispose]() {
          await (await opening)?.[Symbol.asyncDispose]();
        },
      };
    },
  };
}
export default createConnector();
