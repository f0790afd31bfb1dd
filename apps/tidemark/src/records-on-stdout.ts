import type { Config } from '@tidemark/core';

/** Whether a sync's records themselves are printed on standard output, so that nothing else may stand there. */
export function recordsOnStdout(config: Config, sync: string): boolean {
  const to = config.syncs.get(sync)?.to;
  if (to === undefined || config.connections.get(to.connection)?.connector.name !== 'console') return false;
  return (to.spec as { stream?: string }).stream === 'stdout';
}

/** With `--json` standard output holds one document: records that would be printed there go to standard error. */
export function recordsAside(config: Config): Config {
  const syncs = [...config.syncs].map(([name, sync]) => {
    if (!recordsOnStdout(config, name)) return [name, sync] as const;
    return [name, { ...sync, to: { ...sync.to, spec: { ...(sync.to.spec as object), stream: 'stderr' } } }] as const;
  });
  return { ...config, syncs: new Map(syncs) };
}
