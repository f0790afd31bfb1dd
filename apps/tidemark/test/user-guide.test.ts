import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type AnyConnector, ConfigError, parseConfig, systemClock } from '@tidemark/core';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConnectors } from '../src/connectors.ts';
import { createProgram } from '../src/main.ts';
import { blocksOf, modulesOf } from './guide-blocks.ts';

// Whoever copies from the guide gets what works: configurations that are taken, commands and flags that are there, links that lead
// somewhere.

const root = join(import.meta.dirname, '../../..');
const pages = globSync(['README.md', 'docs/**/*.md', 'connectors/*/README.md', 'examples/*/README.md'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !path.includes('node_modules/'))
  .sort();
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');
/** Without blocks of code. */
const proseOf = (page: string) => textOf(page).replace(/^```.*?^```/gms, '');

describe('configurations', () => {
  let connectors: readonly AnyConnector[];
  let scratch: string;
  beforeAll(async () => {
    connectors = (await loadConnectors()).connectors;
    scratch = mkdtempSync(join(tmpdir(), 'tidemark-guide-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true }));

  /** Where a configuration of a page finds the modules that it names: the page shows them, or they lie beside it. */
  function folderOf(page: string): string {
    const modules = modulesOf(textOf(page));
    for (const [file, text] of modules) writeFileSync(join(scratch, file), text);
    return modules.length > 0 ? scratch : join(root, dirname(page));
  }

  /** The names that pages use for systems which they do not show. */
  const usual = {
    crm: { type: 'salesforce', auth: { flow: 'sf-cli', username: 'me@example.com' } },
    app: { type: 'postgres', url: 'postgres://tidemark@localhost/app' },
    bus: { type: 'kafka', brokers: 'localhost:9092' },
    docs: { type: 'mongodb', url: 'mongodb://localhost/shop' },
    other: { type: 'sqlite', path: './other.db' },
    q: { type: 'queue', path: './queue.db' },
  };

  const TIDEMARK_KEY = Buffer.alloc(32, 7).toString('base64');

  /** A value that a variable of this name may have. */
  function exampleOf(name: string): string {
    if (/DATABASE|STATE_URL|POSTGRES/.test(name)) return 'postgres://me@localhost/app';
    if (/REDIS/.test(name)) return 'redis://localhost:6379/0';
    if (/MONGO/.test(name)) return 'mongodb://localhost/shop';
    if (/BROKERS/.test(name)) return 'localhost:9092';
    return /URL/.test(name) ? 'https://example.com' : 'a-value-of-some-length';
  }

  function load(text: string, page: string): void {
    const named = [...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => [name!, exampleOf(name!)]);
    const env = { ...Object.fromEntries(named), TIDEMARK_KEY };
    parseConfig(text, { file: join(folderOf(page), 'tidemark.yaml'), env, connectors });
  }

  const whole = (page: string): { page: string; place: string; text: string }[] =>
    blocksOf(textOf(page)).flatMap(({ language, text, line }) => {
      if (language !== 'yaml' || !/^(connections|syncs):/m.test(text)) return [];
      const { connections, syncs = {}, ...rest } = parse(text) as Record<string, unknown>;
      return [
        {
          page,
          place: `${page}:${line}`,
          text: stringify({ connections: { ...usual, ...(connections as object) }, syncs, ...rest }),
        },
      ];
    });

  test.each(pages.flatMap(whole))('$place is taken', ({ page, text }) => {
    try {
      load(text, page);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      expect(error.problems).toEqual([]);
    }
  });
});

describe('commands', () => {
  const terminal = { out() {}, err() {}, live: false, interactive: false, colourOut: false, colourErr: false };
  const program = createProgram({ terminal, env: {}, clock: systemClock, exitCode: 0, logLine() {} });

  /** What a page has people type, of lines that begin with it and of texts in single backquotes. */
  function typed(text: string): string[] {
    const lines = blocksOf(text)
      .filter(({ language }) => ['', 'sh'].includes(language))
      .flatMap((block) => block.text.replace(/\\\n\s*/g, ' ').split('\n'));
    const spans = [...text.replace(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!);
    return [...lines, ...spans].flatMap((line) => {
      const words = /^(?:\$ )?(?:[A-Z_]+=\S* +)*(?:npx )?tidemark +(.*)/.exec(line.trim())?.[1];
      return words === undefined ? [] : [words.replace(/\s+#.*$|\s*[|<>;&].*$/, '')];
    });
  }

  /** Why nobody can type that; null when it is understood. */
  function wrong(words: string): string | null {
    let at: Command = program;
    const rest = words.split(/\s+/).filter(Boolean);
    while (rest.length > 0) {
      const next = at.commands.find((each) => each.name() === rest[0]);
      if (next === undefined) break;
      at = next;
      rest.shift();
    }
    if (at === program && /^[a-z]/.test(rest[0] ?? '')) return `there is no command ${rest[0]}`;
    if (at.name() === 'emulator') return null;
    const flags = rest.flatMap((word) => /^(--[a-z][a-z-]*|-[a-z](?![a-z]))/.exec(word)?.[1] ?? []);
    const unknown = flags.filter(
      (flag) => flag !== '--help' && !at.options.some(({ long, short }) => long === flag || short === flag),
    );
    return unknown.length === 0 ? null : `tidemark ${at.name()} has no ${unknown.join(', ')}`;
  }

  test.each(pages)('%s names commands and flags that there are', (page) => {
    const problems = typed(textOf(page)).flatMap((words) => {
      const problem = wrong(words);
      return problem === null ? [] : [`${words}: ${problem}`];
    });
    expect(problems).toEqual([]);
  });
});

/** What a heading is called in a link, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .replace(/`|\[|\]\([^)]*\)/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .trim()
    .replaceAll(' ', '-');

test.each(pages)('the links of %s lead somewhere', (page) => {
  const links = [...proseOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)/g)];
  const dead = links.filter(([, path, anchor]) => {
    const target = path === '' ? page : join(dirname(page), path!);
    if (!existsSync(join(root, target))) return true;
    // What is generated is held against the code by `npm run check`, and may be behind it until then.
    if (anchor === undefined || target.startsWith('docs/reference/')) return false;
    const headings = [...proseOf(target).matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchorOf(text!));
    return !headings.includes(anchor);
  });
  expect(dead.map(([link]) => link)).toEqual([]);
});
