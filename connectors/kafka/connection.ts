import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Connection, type ConnectorContext, type Problem, RequestRefusedError, SyncError } from '@tidemark/core';
import { type KafkaAccess, KafkaClient, StateTopic, Units } from './client/index.ts';
import type { KafkaConfig, KafkaFrom, KafkaTo } from './config.ts';
import { openSource } from './source.ts';
import { type KafkaSystem, KafkaTarget, kafkaStreamWriter } from './target.ts';

/** One cluster. Connects when it is first used. */
export function openConnection(config: KafkaConfig, context: ConnectorContext) {
  let opened: KafkaSystem | undefined;
  const system = () => (opened ??= openSystem(config, context));
  return {
    check: () => check(system, config, context),
    discover: async () => (await system().client.topics()).filter((name) => !name.startsWith('_')),
    openSource: (spec) => openSource(system().client, spec, context.clock),
    openTarget: async (spec) => new KafkaTarget(system(), spec),
    openStreamWriter: async () => kafkaStreamWriter(system()),
    async [Symbol.asyncDispose]() {
      await opened?.units[Symbol.asyncDispose]();
      await opened?.client[Symbol.asyncDispose]();
      opened = undefined;
    },
  } satisfies Connection<KafkaFrom, KafkaTo>;
}

function openSystem(config: KafkaConfig, context: ConnectorContext): KafkaSystem {
  const client = new KafkaClient(accessOf(config, context));
  return { client, units: new Units(client, new StateTopic(client, config.state)), refused: new Map() };
}

function accessOf({ brokers, sasl, tls }: KafkaConfig, { baseDir, connection }: ConnectorContext): KafkaAccess {
  const file = (name: 'ca' | 'cert' | 'key', path: string | undefined) => {
    if (path === undefined) return {};
    try {
      return { [name]: readFileSync(resolve(baseDir, path)) };
    } catch (error) {
      const { code } = error as { code?: string };
      throw new RequestRefusedError(`connections.${connection}.tls.${name} cannot be read: ${resolve(baseDir, path)} (${code})`);
    }
  };
  const files = typeof tls === 'boolean' ? {} : tls;
  return {
    brokers,
    tls: tls === false ? null : { ...file('ca', files.ca), ...file('cert', files.cert), ...file('key', files.key) },
    sasl: sasl === undefined ? null : { ...sasl, mechanism: sasl.mechanism.toUpperCase() as 'PLAIN' },
  };
}

async function check(
  system: () => KafkaSystem,
  { sasl, tls, brokers }: KafkaConfig,
  { connection }: ConnectorContext,
): Promise<readonly Problem[]> {
  const place = `connections.${connection}`;
  try {
    await system().client.topics();
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [{ place, severity: 'error', message: error.message, hint: error.hint }];
  }
  const isHere = brokers.every((each) => /^(localhost|127\.0\.0\.1|\[::1\]):/.test(each));
  if (tls !== false || isHere) return [];
  const message = `records${sasl === undefined ? '' : ' and the login'} go to Kafka in the clear`;
  return [{ place, severity: 'warning', message, hint: 'Set tls: where the brokers speak it.' }];
}
