import type { Rejection } from '@tidemark/core';

/** `{Name}`, `{$key}`. */
const PLACE = /\{([$\p{L}_][\p{L}\p{N}_.]*)\}/u;
/** Servers that decode a path before they take it apart would walk up a folder. */
const DOT_SEGMENT = /(^|[/\\])\.\.?([/\\]|$)/;
const CONTROL = /\p{Cc}/u;

export function isPathTemplate(text: string): boolean {
  if (!/^\/[^#\\]*$/.test(text)) return false;
  const { literals } = parse(text);
  if (literals.some((literal) => /[{}]/.test(literal) || CONTROL.test(literal))) return false;
  const [path] = literals.join('x').split('?');
  return !DOT_SEGMENT.test(path!.replaceAll(/%2e/gi, '.'));
}

/** Literals and names in turn, a literal first and last. */
function parse(template: string): { readonly literals: readonly string[]; readonly names: readonly string[] } {
  const parts = template.split(PLACE);
  return { literals: parts.filter((_, i) => i % 2 === 0), names: parts.filter((_, i) => i % 2 === 1) };
}

export type FilledPath = { readonly path: string } | { readonly refused: Rejection };

export interface PathTemplate {
  readonly names: readonly string[];
  /** The path with these values in it. A value that would make it another path than the template's is refused. */
  fill(textFor: (name: string) => string | null): FilledPath;
}

export function compilePath(template: string): PathTemplate {
  const { literals, names } = parse(template);
  return {
    names,
    fill(textFor) {
      let path = literals[0]!;
      for (const [i, name] of names.entries()) {
        const value = textFor(name);
        const inQuery = path.includes('?');
        const problem = problemOf(value, inQuery);
        if (problem !== null) {
          const code = 'PATH_VALUE';
          return { refused: { code, message: `${name} ${problem}: it cannot be a part of the path ${template}` } };
        }
        path += encodeURIComponent(value!) + literals[i + 1]!;
      }
      return { path };
    },
  };
}

function problemOf(value: string | null, inQuery: boolean): string | null {
  if (value === null || value === '') return 'is empty';
  if (!value.isWellFormed()) return 'holds half a character';
  if (!inQuery && (DOT_SEGMENT.test(value) || CONTROL.test(value))) return 'holds dots or control characters that lead elsewhere';
  return null;
}

/**
 * The address below a base, or null when it is not below it after all, because a server or a URL parser would read it otherwise:
 * the last word, whatever came before it.
 */
export function addressBelow(base: string, path: string): URL | null {
  const root = base.replace(/\/+$/, '');
  const url = URL.parse(root + path);
  const expected = new URL(root || base);
  if (url === null || url.origin !== expected.origin || url.username !== '' || url.password !== '') return null;
  const prefix = expected.pathname.replace(/\/+$/, '');
  const [pathOnly] = path.split('?');
  // A dot segment is gone from it once it is parsed: what is left then is shorter.
  if (url.pathname.split('/').length !== (prefix + pathOnly!).split('/').length) return null;
  return url.pathname.startsWith(`${prefix}/`) ? url : null;
}
