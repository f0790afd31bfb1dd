const MASK = '[secret]';

/** Shorter values occur in ordinary words: masking them would garble every line and hide nothing. */
const LENGTH_MIN = 4;

/** A process signs in for years: of the tokens that one login has been given, those before the newest ones have long expired. */
const TOKENS_MAX = 20;

const secrets = new Set<string>();
/** By the login that they were given to, the oldest first. */
const tokens = new Map<string, readonly string[]>();
/** Of all forms; made when a text comes, not with every secret. */
let pattern: RegExp | undefined;

/** From now on this value is masked in every log line and in every text that goes through `scrub`. For the life of the process. */
export function registerSecret(value: string): void {
  if (value.length < LENGTH_MIN || secrets.has(value)) return;
  secrets.add(value);
  pattern = undefined;
}

/** The same for what somebody is given again and again: the newest ones of each login are masked. */
export function registerToken(login: string, value: string): void {
  const known = tokens.get(login) ?? [];
  if (value.length < LENGTH_MIN || known.at(-1) === value) return;
  tokens.set(login, [...known.filter((token) => token !== value), value].slice(-TOKENS_MAX));
  pattern = undefined;
}

function formsOf(value: string): readonly string[] {
  const quoted = JSON.stringify(value).slice(1, -1);
  // As it is, as JSON in JSON and URLs spell it, and as Basic credentials and certificates in files are often passed on.
  const spellings = [
    value,
    quoted,
    JSON.stringify(quoted).slice(1, -1),
    encodeURI(wellFormed(value)),
    encodeURIComponent(wellFormed(value)),
  ];
  return [...spellings, new URLSearchParams({ v: value }).toString().slice(2), Buffer.from(value).toString('base64')];
}

function patternOfAll(): RegExp {
  // The longest first, so that of a secret that contains another nothing is left over.
  const forms = new Set([...secrets, ...[...tokens.values()].flat()].flatMap(formsOf));
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
}

/** The text without registered secrets, and without the password of any URL. Every text that leaves the process goes through it. */
export function scrub(text: string): string {
  if (secrets.size + tokens.size > 0) pattern ??= patternOfAll();
  const masked = pattern === undefined ? text : text.replace(pattern, MASK);
  return masked.replace(/\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"']*):[^\s/"']+@/gi, `$1:${MASK}@`);
}

function wellFormed(value: string): string {
  return value.toWellFormed();
}
