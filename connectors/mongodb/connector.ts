import { type Connector, lazyConnection } from '@tidemark/core';
import {
  type MongodbConfig,
  type MongodbFrom,
  type MongodbTo,
  mongodbConfig,
  mongodbFrom,
  mongodbLookup,
  mongodbSide,
  mongodbTo,
} from './config.ts';
import { mongodbRows } from './rows-place.ts';

export function createConnector(): Connector<MongodbConfig, MongodbFrom, MongodbTo> {
  return {
    name: 'mongodb',
    summary: 'MongoDB as a source, a target, and a side of a two-way sync',
    config: mongodbConfig,
    from: mongodbFrom,
    to: mongodbTo,
    lookup: mongodbLookup,
    side: mongodbSide,
    rows: mongodbRows,
    open: (config, context) =>
      lazyConnection(
        ['check', 'discover', 'openSource', 'openLookup', 'openSide', 'openRows', 'openStream', 'openTarget'],
        async () => (await import('./connection.ts')).openConnection(config, context),
      ),
  };
}
export default createConnector();
