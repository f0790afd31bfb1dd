import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringOnce, needProgram, runProgram } from './bring.ts';
import { freePort, type RunningServer, startServer } from './server.ts';

const POM = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url));
const JAVA_OLDEST = 17;

/**
 * Users of the listener that wants a login; `nobody` may do nothing. Its address is told by the broker's own configuration
 * (`advertised.listeners`). Whoever comes to the other listener may do everything.
 */
export const kafkaUsers = {
  plain: { username: 'tidemark', password: 'the-plain-password' },
  scram: { username: 'tidemark', password: 'the-scram-password' },
  nobody: { username: 'nobody', password: 'the-password-of-nobody' },
} as const;

/** Starts a Kafka of one node (KRaft): Apache's own jars, by Maven, on this machine's Java. */
export async function startKafka(): Promise<RunningServer> {
  const { java, classPath } = await kafkaBroker();
  const run = (main: string) => ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classPath, main];
  return startServer({
    name: 'kafka',
    startMs: 120_000,
    url: (port) => `127.0.0.1:${port}`,
    prepare: async (home, port) => {
      const properties = join(home, 'server.properties');
      await writeFile(properties, settings(home, port, await freePort(), await freePort()));
      const { username, password } = kafkaUsers.scram;
      const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((each) => [
        '--add-scram',
        `${each}=[name=${username},password=${password}]`,
      ]);
      const format = ['format', '--cluster-id', 'dGlkZW1hcmstZm9yLXRlcw', '--config', properties, ...scram];
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

function settings(home: string, port: number, controllerPort: number, loginPort: number): string {
  const { plain, nobody } = kafkaUsers;
  const login = 'org.apache.kafka.common.security';
  const plainUsers = [plain, nobody].map(({ username, password }) => `user_${username}="${password}"`).join(' ');
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},LOGIN://127.0.0.1:${loginPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},LOGIN://127.0.0.1:${loginPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.login.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required ${plainUsers};`,
    'listener.name.login.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.login.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': `User:ANONYMOUS;User:${plain.username}`,
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
