import type { Connector } from '@tidemark/core';
import { type KafkaConfig, type KafkaFrom, type KafkaTo, kafkaConfig, kafkaFrom, kafkaTo } from './config.ts';
import type { openConnection } from './connection.ts';

export function createConnector(): Connector<KafkaConfig, KafkaFrom, KafkaTo> {
  return {
    name: 'kafka',
    summary: 'Kafka topics as a source and a target',
    config: kafkaConfig,
    from: kafkaFrom,
    to: kafkaTo,
    tellsChanges: true,
    open(config, context) {
      // The driver is large, and whoever uses no Kafka does without it.
      let opening: Promise<ReturnType<typeof openConnection>> | undefined;
      const opened = () => (opening ??= import('./connection.ts').then((module) => module.openConnection(config, context)));
      return {
        check: async () => (await opened()).check(),
        discover: async () => (await opened()).discover(),
        openSource: async (spec) => (await opened()).openSource(spec),
        openTarget: async (spec) => (await opened()).openTarget(spec),
        openStreamWriter: async () => (await opened()).openStreamWriter(),
        async [Symbol.asyncDispose]() {
          await (await opening)?.[Symbol.asyncDispose]();
        },
      };
    },
  };
}
export default createConnector();
