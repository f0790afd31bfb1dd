import { type Connector, lazyConnection } from '@tidemark/core';
import { type KafkaConfig, type KafkaFrom, type KafkaTo, kafkaConfig, kafkaFrom, kafkaTo } from './config.ts';

export function createConnector(): Connector<KafkaConfig, KafkaFrom, KafkaTo> {
  return {
    name: 'kafka',
    summary: 'Kafka topics as a source and a target',
    config: kafkaConfig,
    from: kafkaFrom,
    to: kafkaTo,
    tellsChanges: true,
    readsInParts: true,
    open: (config, context) =>
      lazyConnection(['check', 'discover', 'openSource', 'openTarget', 'openStreamWriter'], async () =>
        (await import('./connection.ts')).openConnection(config, context),
      ),
  };
}
export default createConnector();
