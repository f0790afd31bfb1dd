import type { Example, Running } from './command-line.ts';

/** All that is around an example: an org, and what else it reads and writes. Its test and `npm run example` stand in the same. */
export interface World extends AsyncDisposable {
  /** What its README tells to set. @param folder  for what the example keeps */
  env(folder: string): NodeJS.ProcessEnv;
  /** The stream that has to be followed before anything happens, by its name in `/metrics`. */
  readonly stream?: string;
  /** What is to be seen, one after another. */
  readonly scenes: readonly Scene[];
}

export interface Scene {
  /** What happens, before it does. */
  readonly says: string;
  /** Makes it happen. Resolves with what came of it, once that is there. */
  play(stage: Stage): Promise<string>;
}

export interface Stage {
  readonly example: Example;
  /** What the README's `start` began; null where there is none. */
  readonly running: Running | null;
  /** Where that answers HTTP. */
  readonly url: string | null;
}

/** Where `start` answers HTTP, once it does and follows its stream. */
export async function listening(running: Running, stream?: string): Promise<string> {
  const line = await running.line('err', (text) => text.includes('"answering HTTP"'));
  const { url } = JSON.parse(line) as { url: string };
  if (stream === undefined) return url;
  const live = `tidemark_stream_state{stream="${stream}",state="live"} 1`;
  return seen(`the stream ${stream}`, async () => ((await (await fetch(`${url}/metrics`)).text()).includes(live) ? url : null));
}

/** Looks until there is something to be seen. @throws after a minute, saying what was waited for */
export async function seen<T>(what: string, look: () => Promise<T | null | undefined> | T | null | undefined): Promise<T> {
  for (let looks = 0; looks < 300; looks++) {
    const found = await look();
    if (found !== null && found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`a minute has gone by without ${what}`);
}
