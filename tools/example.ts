import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { World } from '../examples/world.ts';
import { startService } from '../testkit/src/services/start-service.ts';
import { ownServerVariable, type ServiceName } from '../testkit/src/services/test-service.ts';
import { readGuide } from './example-guide.ts';
import { playExample } from './example-play.ts';
import { root } from './run-command.ts';
import { systems } from './systems.ts';

const USAGE = `Runs an example as its README tells, against an org on this machine and whatever else it needs.

Usage: npm run example -- <name>           goes on until Ctrl-C
       npm run example -- <name> --once    ends when all has been seen

${systems.map(({ example, name }) => `  ${example.padEnd(22)}${name}`).join('\n')}
`;

interface ExampleModule {
  /** Servers that it needs. */
  readonly services?: readonly ServiceName[];
  openWorld(): Promise<World>;
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean' }, once: { type: 'boolean', default: false } },
});
const [name] = positionals;
const system = systems.find(({ example }) => example === name);

if (values.help || name === undefined) process.stdout.write(USAGE);
else if (system === undefined || positionals.length > 1) {
  process.stderr.write(`there is no example ${positionals.join(' ')}\n\n${USAGE}`);
  process.exitCode = 2;
} else await run(system.example, values.once);

async function run(example: string, once: boolean): Promise<void> {
  const folder = join(root, 'examples', example);
  const guide = readGuide(readFileSync(join(folder, 'README.md'), 'utf8'));
  const { services = [], openWorld } = (await import(join(folder, 'world.ts'))) as ExampleModule;
  const servers = new AsyncDisposableStack();
  try {
    for (const service of services) await bring(service, servers);
    await using world = await openWorld();
    await playExample({ folder, guide, world, once });
  } catch (error) {
    process.stderr.write(`\n${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    await servers.disposeAsync();
  }
}

/** A server of the example's, unless the environment names one, as it does for tests. */
async function bring(name: ServiceName, started: AsyncDisposableStack): Promise<void> {
  const variable = ownServerVariable(name);
  if (process.env[variable]) return;
  process.stdout.write(`Starting ${name}; the first time it may have to be brought, which can take minutes\n`);
  const server = await startService[name]();
  started.defer(() => server.stop());
  process.env[variable] = server.url;
}
