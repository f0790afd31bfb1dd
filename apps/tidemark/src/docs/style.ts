import { Html } from './html.ts';

/** Of the page: readable on a screen in either light, and on paper. */
export const style = new Html(`
:root { color-scheme: light dark; --ink: #1b2430; --paper: #fff; --line: #c6cfda; --quiet: #5b6877; --fill: #eef3f8; --end: #dcebe4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --paper: #14191f; --line: #3c4855; --quiet: #9aa7b5; --fill: #1f2730; --end: #1d3329; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.small { color: var(--quiet); font-size: .875rem; }
.notes { border-left: 3px solid var(--line); padding-left: .75rem; white-space: pre-line; }
figure { margin: 1rem 0; overflow-x: auto; }
svg { max-width: 100%; height: auto; font: 14px system-ui, sans-serif; }
svg rect { fill: var(--fill); stroke: var(--line); }
svg .source rect, svg .target rect, svg .side rect { fill: var(--end); }
svg text { fill: var(--ink); text-anchor: middle; }
svg .kind { fill: var(--quiet); font-size: 12px; }
svg .arrow { fill: none; stroke: var(--quiet); stroke-width: 1.5; }
svg marker path { fill: var(--quiet); }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
code { display: block; font: .875rem ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } section { break-inside: avoid-page; } nav { break-after: page; } a { color: inherit; text-decoration: none; } }
`);
