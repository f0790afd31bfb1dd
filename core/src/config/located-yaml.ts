import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import type { Problem } from '../base/errors.ts';
import { type Environment, substitute } from './environment.ts';

export type Path = readonly (string | number)[];

/** A YAML file as plain values, each of which knows where in the file it stands and what came from the environment. */
export interface LocatedYaml {
  readonly value: unknown;
  /** `tidemark.yaml:12:5: syncs.contacts.to`; of the nearest thing around it when the path itself is not in the file. */
  place(path: Path, of?: 'key' | 'value'): string;
  /** Variables that went into the value at this path. */
  variables(path: Path): readonly string[];
  /** A variable stands there, or the default of one: what it gives is text. */
  filled(path: Path): boolean;
  /** A message without anything that came from the environment. */
  scrub(message: string): string;
}

/** Texts in which nothing is replaced: they are for people. */
const verbatimKeys = new Set(['notes']);
const depthMax = 40;
/** Far above any real configuration, and far below what aliases of aliases can blow a small file up to. */
const nodesMax = 200_000;

class TooLarge extends Error {}

/** Reads YAML text; finds every problem of syntax and of missing variables at once. */
export function locateYaml(text: string, shownFile: string, env: Environment): { yaml: LocatedYaml; problems: Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, logLevel: 'error' });
  const problems: Problem[] = [];
  const offsets = new Map<string, { key: number | null; value: number }>();
  const variables = new Map<string, readonly string[]>();
  const filled = new Set<string>();
  const secrets = new Map<string, string>();

  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${shownFile}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const placed = (offset: number, path: Path) => (path.length === 0 ? at(offset) : `${at(offset)}: ${pathText(path)}`);
  const problem = (offset: number, path: Path, message: string, hint?: string) =>
    problems.push({ place: placed(offset, path), message, hint, severity: 'error' });

  for (const error of [...document.errors, ...document.warnings]) {
    const [message, hint] = syntaxWords(error, text);
    problem(error.pos[0], [], message, hint);
  }

  // An alias is looked up by a walk over the whole document: once for each is enough.
  const targets = new Map<Alias, Node | undefined>();
  const resolved = (alias: Alias) => {
    if (!targets.has(alias)) targets.set(alias, alias.resolve(document));
    return targets.get(alias);
  };
  let nodes = 0;
  const walk = (
    node: Node | null | undefined,
    path: Path,
    key: number | null,
    around: number,
    aliases: readonly Alias[],
  ): unknown => {
    const start = node?.range?.[0] ?? key ?? around;
    if (++nodes > nodesMax) {
      problem(start, [], 'the file is too large, its aliases written out', 'split it');
      throw new TooLarge();
    }
    offsets.set(JSON.stringify(path), { key, value: start });
    if (path.length > depthMax) {
      problem(start, path.slice(0, 3), 'is nested too deeply');
      return null;
    }
    if (isAlias(node)) {
      const target = resolved(node);
      // An alias inside what it names would never end; a thousand aliases of aliases would not end soon.
      if (aliases.some((a) => a.source === node.source) || target === undefined) {
        problem(start, path, `the alias *${node.source} ${target === undefined ? 'names no anchor' : 'contains itself'}`);
        return null;
      }
      if (aliases.length >= 3) {
        problem(start, path, 'has aliases of aliases of aliases', 'write it out');
        return null;
      }
      return walk(target, path, start, around, [...aliases, node]);
    }
    if (isMap(node)) {
      const value: Record<string, unknown> = {};
      for (const pair of node.items) {
        const keyNode = pair.key as Node | null;
        const keyAt = keyNode?.range?.[0] ?? start;
        if (!isScalar(keyNode) || typeof keyNode.value === 'object') {
          problem(keyAt, path, 'has a key that is not plain text');
          continue;
        }
        const name = String(keyNode.value);
        if (name === '__proto__') {
          problem(keyAt, path, 'may not have the key __proto__');
          continue;
        }
        value[name] = walk(pair.value as Node | null, [...path, name], keyAt, start, aliases);
      }
      return value;
    }
    if (isSeq(node)) return node.items.map((item, i) => walk(item as Node, [...path, i], null, start, aliases));
    if (!isScalar(node)) return null;
    if (node.value instanceof Uint8Array || typeof node.value === 'bigint') {
      problem(start, path, 'is of a type that has no place here', 'write it as text in quotes');
      return null;
    }
    if (typeof node.value !== 'string' || verbatimKeys.has(String(path.at(-1)))) return node.value;
    const done = substitute(node.value, env);
    for (const { message, hint } of done.problems) problem(start, path, message, hint);
    if (done.filled) filled.add(JSON.stringify(path));
    if (done.used.length > 0) {
      variables.set(JSON.stringify(path), done.used);
      for (const name of done.used) secrets.set(env[name]!, name);
    }
    return done.text;
  };
  let value: unknown = null;
  try {
    if (document.errors.length === 0) value = walk(document.contents as Node | null, [], null, 0, []);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
  }

  const longestFirst = () => [...secrets].sort(([a], [b]) => b.length - a.length);
  const yaml: LocatedYaml = {
    value,
    place(path, of = 'value') {
      for (let length = path.length; ; length--) {
        const found = offsets.get(JSON.stringify(path.slice(0, length)));
        if (found === undefined && length > 0) continue;
        const exact = length === path.length;
        // Something missing is best shown at the name of the block that lacks it.
        const offset = exact && of === 'value' ? found?.value : (found?.key ?? found?.value);
        return placed(offset ?? 0, path);
      }
    },
    filled: (path) => filled.has(JSON.stringify(path)),
    variables: (path) => variables.get(JSON.stringify(path)) ?? [],
    scrub: (message) =>
      // Very short values cannot be told from ordinary words; our own messages never show values in the first place.
      longestFirst().reduce(
        (text, [secret, name]) => (secret.length < 4 ? text : text.replaceAll(secret, `\${${name}}`)),
        message,
      ),
  };
  return { yaml, problems };
}

/** `syncs.contacts.steps[0].map`. */
export function pathText(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

/** The parser's codes in plain words, without the source line: it may hold a secret. */
function syntaxWords(error: YAMLError, text: string): readonly [message: string, hint?: string] {
  switch (error.code) {
    case 'DUPLICATE_KEY': {
      const name = /^["']?([\w.$-]{1,60})/.exec(text.slice(error.pos[0]))?.[1];
      return [`the key ${name === undefined ? '' : `"${name}" `}appears twice in the same block`, 'remove one of the two'];
    }
    case 'TAB_AS_INDENT':
      return ['is indented with a tab', 'YAML indents with spaces only'];
    case 'BAD_INDENT':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return ['is not indented like the lines around it, or a bracket is not closed', 'align it with its neighbours'];
    case 'MISSING_CHAR':
      return ['lacks a closing quote, bracket, comma or colon', 'look at this line and the one before it'];
    case 'MULTIPLE_DOCS':
      return ['a second document begins here', 'keep one document in the file: remove the ---'];
    case 'TAG_RESOLVE_FAILED':
      return ['has a YAML tag (!…) that is not known here', 'remove the tag, or put the text in quotes'];
    case 'BAD_ALIAS':
      return ['has an alias (*name) that does not fit', 'put text that begins with * or & in quotes'];
    default:
      return [
        `is not valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`,
        'text with : # { [ * & in it belongs in quotes',
      ];
  }
}
