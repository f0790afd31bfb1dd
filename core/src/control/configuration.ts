import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, type Problem, RequestRefusedError } from '../base/errors.ts';
import { scrub } from '../base/secrets.ts';
import type { Config } from '../config/config.ts';
import { type LoadOptions, parseConfig } from '../config/load-config.ts';

export interface ConfigurationOptions extends LoadOptions {
  /** What runs. */
  readonly config: Config;
  /** Has the process run by the file as it is now. */
  readonly reload: () => void;
}

/** The file as it is, for somebody to edit. */
export interface ConfigurationText {
  readonly file: string;
  /** Secrets that stand in the file itself are masked. */
  readonly text: string;
  /** Names this text. */
  readonly version: string;
  readonly canEdit: boolean;
}

/** What a new text would change. */
export interface ConfigurationVerdict {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly diff: readonly { readonly kind: 'same' | 'added' | 'removed'; readonly text: string }[];
  /** Names of syncs. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** The configuration file of a running process: looked at, checked, taken over (000-7, 000-8). */
export class Configuration {
  readonly #options: ConfigurationOptions;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  async read(): Promise<ConfigurationText> {
    const { file } = this.#options.config;
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new RequestRefusedError(`${file} cannot be read: ${error.code}`, { cause: error });
    });
    const shown = scrub(text);
    // Whoever saves a masked text would lose what is masked.
    return { file, text: shown, version: versionOf(text), canEdit: shown === text && (await mayWrite(file)) };
  }

  /** As the process would run by it. @throws {ConfigError} */
  parse(text: string): Config {
    return parseConfig(text, { ...this.#options, file: this.#options.config.file });
  }

  /** Nothing is contacted, nothing is changed. */
  async check(text: string): Promise<ConfigurationVerdict> {
    const { config } = this.#options;
    const { text: now } = await this.read();
    const { diffLines } = await import('diff');
    const diff = diffLines(now, text).flatMap(({ added, removed, value }) => {
      const kind = added ? ('added' as const) : removed ? ('removed' as const) : ('same' as const);
      return value
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => ({ kind, text: line }));
    });
    try {
      const next = this.parse(text);
      return { ok: true, problems: next.warnings, diff, ...differences(config, next) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return { ok: false, problems: error.problems, diff, added: [], removed: [], changed: [] };
    }
  }

  /**
   * Writes it to the file and has the process run by it; a text with errors changes nothing.
   * @param version  of the text that was edited
   * @throws {RequestRefusedError} somebody else has changed the file meanwhile, or it may not be written
   */
  async takeOver(text: string, version: string): Promise<ConfigurationVerdict> {
    const now = await this.read();
    if (!now.canEdit) {
      throw new RequestRefusedError(`${now.file} cannot be changed from here`, {
        hint: 'it may not be written by this process, or a secret stands in it: move secrets to environment variables',
      });
    }
    if (now.version !== version) {
      throw new RequestRefusedError('the file was changed meanwhile', { hint: 'load it anew, and make your change once more' });
    }
    const verdict = await this.check(text);
    if (!verdict.ok) return verdict;
    await replaceFile(now.file, text);
    this.#options.reload();
    return verdict;
  }
}

function differences(before: Config, after: Config): Pick<ConfigurationVerdict, 'added' | 'removed' | 'changed'> {
  const prints = ({ syncs, pairings }: Config) =>
    new Map([...syncs.values(), ...pairings.values()].map(({ name, fingerprint }) => [name, fingerprint]));
  const [old, next] = [prints(before), prints(after)];
  return {
    added: [...next.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !next.has(name)),
    changed: [...next].filter(([name, print]) => old.has(name) && old.get(name) !== print).map(([name]) => name),
  };
}

/** Whole or not at all, with the rights that it had. */
async function replaceFile(file: string, text: string): Promise<void> {
  const beside = `${file}.${randomUUID()}.new`;
  const { mode } = await stat(file);
  try {
    await writeFile(beside, text, { mode, flush: true });
    await rename(beside, file);
  } catch (error) {
    await unlink(beside).catch(() => {});
    throw error;
  }
}

async function mayWrite(file: string): Promise<boolean> {
  // A new file takes its place: the folder has to allow that.
  const may = (path: string) =>
    access(path, constants.W_OK).then(
      () => true,
      () => false,
    );
  return (await may(file)) && (await may(dirname(file)));
}

function versionOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
