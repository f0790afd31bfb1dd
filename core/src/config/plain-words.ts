import type { core } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import type { Path } from './located-yaml.ts';

export interface Finding {
  readonly path: Path;
  readonly of?: 'key' | 'value';
  readonly message: string;
  readonly hint?: string | undefined;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a block of keys',
  record: 'a block of keys',
  map: 'a block of keys',
  null: 'nothing',
  undefined: 'nothing',
};

/** Zod's issues as a user would say them. Values are never repeated: they may be secret. */
export function plainWords(issues: readonly core.$ZodIssue[], value: unknown, path: Path): Finding[] {
  return issues.flatMap((issue) => words(issue, value, path));
}

function words(issue: core.$ZodIssue, root: unknown, base: Path): Finding[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const given = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | undefined | null)?.[part], root);
  const say = (message: string, hint?: string): Finding[] => [{ path, message, hint }];
  switch (issue.code) {
    case 'invalid_type': {
      const expected = kinds[issue.expected] ?? issue.expected;
      if (given === undefined) return say('is missing', `it takes ${expected}`);
      if (!issue.message.startsWith('Invalid input')) return say(issue.message);
      if (given === null) return say(`is empty, it takes ${expected}`);
      const quotes = issue.expected === 'string' && ['number', 'boolean'].includes(typeof given);
      return say(`takes ${expected}, not ${kindOf(given)}`, quotes ? 'put it in quotes' : undefined);
    }
    case 'invalid_value': {
      const options = issue.values.map(String);
      const meant = typeof given === 'string' ? didYouMean(given, options) : null;
      const list = options.join(', ');
      if (given === undefined) return say('is missing', `one of: ${list}`);
      return say(
        options.length === 1 ? `must be ${list}` : `must be one of: ${list}`,
        meant === null ? undefined : `did you mean ${meant}?`,
      );
    }
    case 'too_small':
      if (issue.origin === 'string')
        return say(Number(issue.minimum) <= 1 ? 'must not be empty' : `must have at least ${issue.minimum} characters`);
      if (issue.origin === 'array' || issue.origin === 'set')
        return say(`needs at least ${issue.minimum} ${plural(issue.minimum, 'item')}`);
      return say(`must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`);
    case 'too_big':
      if (issue.origin === 'string') return say(`must have at most ${issue.maximum} characters`);
      if (issue.origin === 'array' || issue.origin === 'set')
        return say(`takes at most ${issue.maximum} ${plural(issue.maximum, 'item')}`);
      return say(`must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`);
    case 'invalid_format':
      return say(
        issue.format === 'regex'
          ? ownWords(issue.message, 'is not written as it should be')
          : `is not a valid ${formatName(issue.format)}`,
      );
    case 'not_multiple_of':
      return say(`must be a multiple of ${issue.divisor}`);
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], of: 'key', message: 'is not known here' }));
    case 'invalid_union':
      return unionWords(issue, given, path, say);
    case 'invalid_key':
    case 'invalid_element':
      return plainWords(issue.issues, given, path);
    default: {
      const hint = (issue as core.$ZodIssueCustom).params?.hint;
      return say(issue.message, typeof hint === 'string' ? hint : undefined);
    }
  }
}

function unionWords(
  issue: core.$ZodIssueInvalidUnion,
  given: unknown,
  path: Path,
  say: (message: string, hint?: string) => Finding[],
): Finding[] {
  const { options } = issue as { options?: readonly unknown[] };
  if (issue.errors.length === 0 && options !== undefined) {
    const names = options.map(String);
    const meant = typeof given === 'string' ? didYouMean(given, names) : null;
    if (given === undefined) return say('is missing', `one of: ${names.join(', ')}`);
    return say(`must be one of: ${names.join(', ')}`, meant === null ? undefined : `did you mean ${meant}?`);
  }
  // Alternatives that differ in one key each: name the keys.
  const lacking = issue.errors.map((branch) =>
    branch.length === 1 && isMissing(branch[0]!, given) ? String(branch[0]!.path[0]) : null,
  );
  if (lacking.length > 0 && lacking.every((key) => key !== null)) return say(`needs one of: ${[...new Set(lacking)].join(', ')}`);
  const wrongKind = issue.errors.every(
    (branch) => branch.length === 1 && branch[0]!.code === 'invalid_type' && branch[0]!.path.length === 0,
  );
  if (wrongKind) {
    const expected = issue.errors.map((branch) => (branch[0] as core.$ZodIssueInvalidType).expected);
    const list = [...new Set(expected.map((e) => kinds[e] ?? e))].join(' or ');
    return say(
      given === undefined ? 'is missing' : `takes ${list}, not ${kindOf(given)}`,
      given === undefined ? `it takes ${list}` : undefined,
    );
  }
  // The branch that got furthest is the one that was meant.
  const reached = issue.errors.filter((branch) => !branch.some((i) => i.path.length === 0 && i.code === 'invalid_type'));
  const best = (reached.length > 0 ? reached : issue.errors).toSorted((a, b) => weight(a) - weight(b))[0];
  return best === undefined ? say('does not fit') : plainWords(best, given, path);
}

function isMissing(issue: core.$ZodIssue, given: unknown): boolean {
  return issue.path.length === 1 && (given as Record<PropertyKey, unknown> | null)?.[issue.path[0]!] === undefined;
}

function weight(issues: readonly core.$ZodIssue[]): number {
  return issues.reduce(
    (sum, i) => sum + (i.code === 'invalid_value' ? 10 : i.code === 'unrecognized_keys' ? 3 * i.keys.length : 1),
    0,
  );
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a block of keys';
  return { string: 'text', number: 'a number', boolean: 'true or false' }[typeof value as string] ?? typeof value;
}

function formatName(format: string): string {
  return { url: 'URL', email: 'e-mail address', datetime: 'date and time (2024-05-22T13:05:09Z)' }[format] ?? format;
}

function ownWords(message: string, otherwise: string): string {
  return message.startsWith('Invalid string') ? otherwise : message;
}

function plural(count: number | bigint, word: string): string {
  return Number(count) === 1 ? word : `${word}s`;
}
