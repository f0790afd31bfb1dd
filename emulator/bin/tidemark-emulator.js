#!/usr/bin/env node
// Plain JavaScript that any Node can read, because an older one cannot read the TypeScript behind it.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `tidemark-emulator needs Node 24 or newer; this is ${process.version}.\n` +
      'Run it through npm, which brings its own (npm exec tidemark-emulator), or install Node 24.\n',
  );
  process.exit(2);
}
await import('./tidemark-emulator.ts');
