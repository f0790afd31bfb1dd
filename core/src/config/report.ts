import type { ZodType, z } from 'zod';
import type { Problem } from '../base/errors.ts';
import { describePath, inputSchema, type JsonSchema, type UnknownKey, unknownKeys } from './connector-schema.ts';
import { didYouMean } from './did-you-mean.ts';
import type { LocatedYaml, Path } from './located-yaml.ts';
import { type Finding, plainWords } from './plain-words.ts';

/** Collects everything that is wrong with one file; whoever asks for a value gets it only if it is right. */
export class Report {
  readonly yaml: LocatedYaml;
  readonly problems: Problem[] = [];
  readonly #wrongAlready = new Set<string>();

  constructor(yaml: LocatedYaml) {
    this.yaml = yaml;
  }

  /** What the reader of the YAML found. What else is wrong at these places only follows from it. */
  found(problems: readonly Problem[]): void {
    this.problems.push(...problems);
    for (const problem of problems) this.#wrongAlready.add(problem.place);
  }

  error(path: Path, message: string, hint?: string, of: 'key' | 'value' = 'value'): void {
    this.#add({ path, message, hint, of }, 'error');
  }

  warn(path: Path, message: string, hint?: string): void {
    this.#add({ path, message, hint }, 'warning');
  }

  /** A name that should be one of some others. */
  unknown(path: Path, what: string, given: string, known: Iterable<string>, of: 'key' | 'value' = 'value'): void {
    const names = [...known];
    const meant = didYouMean(given, names);
    this.error(path, what, meant === null ? oneOf(names) : `did you mean ${meant}?`, of);
  }

  /** Checks a value by a schema; null when it does not fit, and then the reasons are in the report. */
  parse<T>(
    schema: ZodType<T>,
    value: unknown,
    path: Path,
    extra: { later?: Readonly<Record<string, string>> } = {},
  ): { data: T } | null {
    const json = inputSchema(schema);
    const before = this.problems.length;
    for (const unknown of unknownKeys(json, value)) this.#unknownKey(unknown, path, extra.later ?? {});
    let result = schema.safeParse(value);
    if (!result.success) {
      // What comes from the environment is text; a schema that wants a number or a boolean gets one.
      const converted = this.#convert(result.error.issues, value, path);
      if (converted !== null) result = schema.safeParse(converted);
    }
    if (!result.success) {
      for (const finding of plainWords(result.error.issues, value, path)) {
        if (finding.message === 'is not known here') continue;
        this.#add(explained(finding, json, value, path), 'error');
      }
      // A key that only zod finds unknown, e.g. in a branch that is not described.
      if (this.problems.length === before) {
        for (const finding of plainWords(result.error.issues, value, path)) this.#add(finding, 'error');
      }
    }
    return result.success && this.problems.length === before ? { data: result.data } : null;
  }

  #unknownKey({ path, key, meant, known }: UnknownKey, base: Path, later: Readonly<Record<string, string>>): void {
    const at = [...base, ...path, key];
    const notYet = path.length === 0 && Object.hasOwn(later, key) ? later[key]! : null;
    if (notYet !== null) this.error(at, 'is not in this version', notYet, 'key');
    else this.error(at, 'is not known here', meant === null ? oneOf(known) : `did you mean ${meant}?`, 'key');
  }

  #convert(issues: readonly z.core.$ZodIssue[], value: unknown, base: Path): unknown {
    let copy: unknown = null;
    for (const issue of issues) {
      const expected = expectedOf(issue);
      const path = issue.path as Path;
      if (expected.length === 0 || !this.yaml.filled([...base, ...path])) continue;
      copy ??= structuredClone(value);
      const parent = path.slice(0, -1).reduce<unknown>((at, part) => (at as Record<string | number, unknown>)[part], copy);
      const last = path.at(-1);
      if (last === undefined || typeof parent !== 'object' || parent === null) continue;
      const block = parent as Record<string | number, unknown>;
      const text = String(block[last]).trim();
      if (expected.includes('boolean') && (text === 'true' || text === 'false')) block[last] = text === 'true';
      else if (expected.some((e) => e === 'number' || e === 'int') && text !== '' && Number.isFinite(Number(text)))
        block[last] = Number(text);
    }
    return copy;
  }

  #add(finding: Finding, severity: Problem['severity']): void {
    const place = this.yaml.place(finding.path, finding.of);
    if (this.#wrongAlready.has(place)) return;
    this.problems.push({
      place,
      message: this.yaml.scrub(finding.message),
      hint: finding.hint === undefined ? undefined : this.yaml.scrub(finding.hint),
      severity,
    });
  }
}

/** What is missing is best explained in the words of whoever asks for it. */
function explained(finding: Finding, json: JsonSchema, value: unknown, base: Path): Finding {
  if (finding.message !== 'is missing') return finding;
  const description = describePath(json, value, finding.path.slice(base.length));
  return description === null ? finding : { ...finding, hint: [finding.hint, description].filter(Boolean).join(': ') };
}

function expectedOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_type') return [issue.expected];
  if (issue.code !== 'invalid_union') return [];
  return issue.errors.flatMap((branch) =>
    branch.flatMap((i) => (i.path.length === 0 && i.code === 'invalid_type' ? [i.expected] : [])),
  );
}

function oneOf(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const shown = names.slice(0, 30).join(', ');
  return `one of: ${shown}${names.length > 30 ? ', …' : ''}`;
}
