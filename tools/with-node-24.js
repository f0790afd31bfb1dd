// Plain JavaScript, because an older Node cannot even read TypeScript: `node tools/with-node-24.js tools/test.ts …`.
import { pathToFileURL } from 'node:url';

const oldest = 24;
const [, self, script, ...values] = process.argv;

if (Number(process.versions.node.split('.')[0]) < oldest) {
  console.error(
    [
      `Tidemark needs Node ${oldest} or newer; this is Node ${process.versions.node} (${process.execPath}).`,
      'On Linux and Windows `npm ci` brings the right one along, and whatever is started through npm uses it: `npm test`,',
      '`npm run check`. If it was left out (`--omit=optional`) or you are on another system, install Node from https://nodejs.org.',
    ].join('\n'),
  );
  process.exitCode = 1;
} else if (script === undefined) {
  console.error(`usage: node ${self} <script.ts> [arguments]`);
  process.exitCode = 2;
} else {
  const url = pathToFileURL(script);
  process.argv = [process.argv[0], script, ...values];
  await import(url.href);
}
