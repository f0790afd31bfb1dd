import { type Config, type ConnectionConfig, createFetch, type Log, type Problem } from '@tidemark/core';
import type { Cli } from '../cli.ts';

/** What is wrong with each connection, and which datasets the source shows. Nothing is written. */
export async function testConnections(
  config: Config,
  source: string,
  cli: Cli,
  env: NodeJS.ProcessEnv,
  log: Log,
): Promise<{ problems: readonly Problem[]; datasets: readonly string[] | null }> {
  const problems: Problem[] = [];
  let datasets: readonly string[] | null = null;
  for (const connection of config.connections.values()) {
    await using opened = openConnection(connection, config.baseDir, cli, env, log);
    const found = await opened.check();
    problems.push(...found);
    if (connection.name === source && !found.some((p) => p.severity === 'error')) datasets = (await opened.discover?.()) ?? null;
  }
  return { problems, datasets };
}

function openConnection(connection: ConnectionConfig, baseDir: string, cli: Cli, env: NodeJS.ProcessEnv, log: Log) {
  return connection.connector.open(connection.config, {
    connection: connection.name,
    clock: cli.clock,
    random: Math.random,
    log,
    fetch: createFetch(env),
    baseDir,
  });
}
