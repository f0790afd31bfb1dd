const MASK = '[secret]';

/** Shorter values occur in ordinary words: masking them would garble every line and hide nothing. */
const LENGTH_MIN = 4;

/** A process signs in for years: of the tokens that one login has been given, those before the newest ones have long expired. */
const TOKENS_MAX = 20;

const secrets = new Set<string>();
/** By the login that they were given to, the oldest first. */
const tokens = new Map<string, readonly string[]>();
/** How many secrets are spelled so. */
const spelled = new Map<string, number>();
/** Forms by how they begin, the longest first, so that of a secret that contains another nothing is left over. */
const byBeginning = new Map<string, string[]>();
/** Where a form may begin: a pattern of all forms would be too large for the tokens of a thousand orgs. */
let beginnings: RegExp | undefined;

/** From now on this value is masked in every log line and in every text that goes through `scrub`. For the life of the process. */
export function registerSecret(value: string): void {
  if (value.length < LENGTH_MIN || secrets.has(value)) return;
  secrets.add(value);
  learn(value);
}

/** The same for what somebody is given again and again: the newest ones of each login are masked. */
export function registerToken(login: string, value: string): void {
  const known = tokens.get(login) ?? [];
  if (value.length < LENGTH_MIN || known.at(-1) === value) return;
  const isNew = !known.includes(value);
  const now = [...known.filter((token) => token !== value), value];
  tokens.set(login, now.slice(-TOKENS_MAX));
  if (isNew) learn(value);
  for (const old of now.slice(0, -TOKENS_MAX)) forget(old);
}

function learn(value: string): void {
  for (const form of formsOf(value)) {
    const times = spelled.get(form) ?? 0;
    spelled.set(form, times + 1);
    if (times > 0) continue;
    const beginning = form.slice(0, LENGTH_MIN);
    const known = byBeginning.get(beginning);
    if (known === undefined) {
      byBeginning.set(beginning, [form]);
      beginnings = undefined;
    } else {
      const at = known.findIndex((each) => each.length < form.length);
      known.splice(at === -1 ? known.length : at, 0, form);
    }
  }
}

function forget(value: string): void {
  for (const form of formsOf(value)) {
    const times = spelled.get(form)! - 1;
    if (times > 0) {
      spelled.set(form, times);
      continue;
    }
    spelled.delete(form);
    const known = byBeginning.get(form.slice(0, LENGTH_MIN))!;
    known.splice(known.indexOf(form), 1);
  }
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
  const others = [new URLSearchParams({ v: value }).toString().slice(2), Buffer.from(value).toString('base64')];
  return [...new Set([...spellings, ...others])];
}

function masked(text: string): string {
  if (byBeginning.size === 0) return text;
  beginnings ??= new RegExp([...byBeginning.keys()].map((each) => each.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  let kept = '';
  let from = 0;
  beginnings.lastIndex = 0;
  for (let found = beginnings.exec(text); found !== null; found = beginnings.exec(text)) {
    const at = found.index;
    const form = byBeginning.get(found[0])!.find((each) => text.startsWith(each, at));
    if (form !== undefined) {
      kept += text.slice(from, at) + MASK;
      from = at + form.length;
    }
    beginnings.lastIndex = form === undefined ? at + 1 : from;
  }
  return kept + text.slice(from);
}

/** The text without registered secrets, and without the password of any URL. Every text that leaves the process goes through it. */
export function scrub(text: string): string {
  return masked(text).replace(/\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"']*):[^\s/"']+@/gi, `$1:${MASK}@`);
}

function wellFormed(value: string): string {
  return value.toWellFormed();
}
