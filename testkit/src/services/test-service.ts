/** Servers that tests use: each is started by the first test of a run that asks for it, unless the environment names one. */
export const SERVICES = ['postgres', 'redis', 'kafka', 'mongodb'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** The variable that names a server of one's own. */
export function ownServerVariable(name: ServiceName): string {
  return `TIDEMARK_TEST_${name.toUpperCase()}_URL`;
}

/** Where the process that runs vitest listens for the workers, who ask it for servers. */
export const STARTER_VARIABLE = 'TIDEMARK_TEST_STARTER';

/** The address of a server. @throws why there is none */
export async function testService(name: ServiceName): Promise<string> {
  const own = process.env[ownServerVariable(name)];
  if (own !== undefined && own !== '') return own;
  const starter = process.env[STARTER_VARIABLE];
  if (starter === undefined) {
    throw new Error(
      `No ${name} for tests: vitest has to run with testkit/src/global-setup.ts as globalSetup, or set ${ownServerVariable(name)}.`,
    );
  }
  const reply = await fetch(`${starter}/${name}`, { method: 'POST' });
  const body = await reply.text();
  if (!reply.ok) throw new Error(body);
  return body;
}

/**
 * The address of a server that not every machine can have, or why this one cannot: the tests that need it are skipped by that name.
 * Where `CI` is set they are not, and the run fails.
 */
export async function serviceOrSkip(name: ServiceName): Promise<{ url: string; missing: null } | { url: null; missing: string }> {
  try {
    return { url: await testService(name), missing: null };
  } catch (error) {
    if (process.env.CI) throw error;
    return { url: null, missing: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  }
}
