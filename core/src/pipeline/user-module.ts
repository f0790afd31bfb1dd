import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { RequestRefusedError } from '../base/errors.ts';

const loaded = new Map<string, Promise<unknown>>();

/** What a user's module imports from us, by the name of the published package. */
const NAME = 'tidemark';
const ours = new URL('../modules.ts', import.meta.url).href;
let isAnswered = false;

/** Whoever imports our name gets what runs here, installed where he lies or not: an error that he throws is one of ours. */
function answerOurName(): void {
  if (isAnswered) return;
  isAnswered = true;
  registerHooks({
    resolve: (name, context, next) => (name === NAME ? { url: ours, shortCircuit: true } : next(name, context)),
  });
}

/**
 * Loads a module of the user's: a `run:` step or source. A process loads it once, and waits for no disk the next time; one that could
 * not be loaded is tried again.
 * @throws {RequestRefusedError} it has no such syntax, or imports what is not there, or throws.
 */
export async function importUserModule<T>(file: string): Promise<Partial<T>> {
  answerOurName();
  const { href } = pathToFileURL(file);
  const module = loaded.get(href) ?? import(href);
  loaded.set(href, module);
  try {
    return (await module) as Partial<T>;
  } catch (error) {
    loaded.delete(href);
    throw new RequestRefusedError(`${file} cannot be loaded: ${wordsOf(error)}`, {
      cause: error,
      hint: 'mend the module; what it imports has to be installed where it lies',
    });
  }
}

/** What the user's code threw, on one line: `fetch` says what was wrong in the cause only. */
export function wordsOf(error: unknown): string {
  const { message, cause } = (error ?? {}) as { message?: unknown; cause?: unknown };
  const words = typeof message === 'string' ? message : String(error);
  const why = cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
  return stripVTControlCharacters(words + why)
    .replace(/\s*\n\s*/g, ' ')
    .trim();
}
