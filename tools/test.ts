import { commandOf, runNode } from './run-command.ts';

/**
 * `npm test`: the checks, then every test. `npm test -- csv-scanner` runs the test files whose path contains that, and nothing
 * else; what else vitest understands (`-t "a name"`) goes through too.
 */
const names = process.argv.slice(2);
const checked = names.length > 0 || (await runNode('tools/check.ts', [], { show: true })).code === 0;
process.exitCode = checked ? (await runNode(commandOf('vitest', 'vitest'), ['run', ...names], { show: true })).code : 1;
