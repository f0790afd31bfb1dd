import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringOnce, needProgram, runProgram } from './bring.ts';
import { freePort, type RunningServer, startServer } from './server.ts';

const POM = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url));
const JAVA_OLDEST = 17;

/** Starts a Kafka of one node (KRaft): Apache's own jars, by Maven, on this machine's Java. Topics are made when they are asked for. */
export async function startKafka(): Promise<RunningServer> {
  const { java, classPath } = await kafkaBroker();
  const run = (main: string) => ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classPath, main];
  return startServer({
    name: 'kafka',
    startMs: 120_000,
    url: (port) => `127.0.0.1:${port}`,
    prepare: async (home, port) => {
      const properties = join(home, 'server.properties');
      await writeFile(properties, settings(home, port, await freePort()));
      const format = ['format', '--cluster-id', 'dGlkZW1hcmstZm9yLXRlcw', '--config', properties];
      await runProgram(java, [...run('kafka.tools.StorageTool'), ...format]);
      return { command: java, args: [...run('kafka.Kafka'), properties] };
    },
  });
}

/** Java, and the class path of a broker. */
export async function kafkaBroker(): Promise<{ java: string; classPath: string }> {
  const java = await needProgram('java', 'Kafka for tests');
  const version = /version "(?:1\.)?(\d+)/.exec(await runProgram('sh', ['-c', '"$0" -version 2>&1', java]))?.[1];
  if (Number(version) < JAVA_OLDEST)
    throw new Error(`Kafka for tests needs Java ${JAVA_OLDEST} or newer; ${java} is ${version}.`);
  const maven = await needProgram('mvn', 'Kafka for tests');
  const digest = createHash('sha256')
    .update(await readFile(POM))
    .digest('hex')
    .slice(0, 12);
  const folder = await bringOnce(`kafka-${digest}`, async (beside) => {
    const to = `-DoutputDirectory=${join(beside, 'jars')}`;
    await runProgram(maven, ['-B', '-q', '-C', '-f', POM, 'dependency:copy-dependencies', '-DincludeScope=runtime', to]);
  });
  return { java, classPath: join(folder, 'jars', '*') };
}

function settings(home: string, port: number, controllerPort: number): string {
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(home, 'data'),
    // One node is all there is.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
