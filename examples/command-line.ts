import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../apps/tidemark/bin/tidemark.js', import.meta.url));

export interface Ended {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** A process of the command line under way. */
export interface Running {
  /** Resolves with the first line of a stream that passes and was not answered before. Fails when the process ends without it. */
  line(stream: 'out' | 'err', passes: (line: string) => boolean): Promise<string>;
  interrupt(): void;
  /** Closes standard output, as `| head` does. */
  leave(): void;
  readonly ended: Promise<Ended>;
}

/** An example as its reader runs it: its own configuration, the real command line, and a folder for what it keeps. */
export class Example implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'tidemark-example-'));
  readonly #config: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #show: (text: string, stream: 'out' | 'err') => void;

  /**
   * @param env   what its README tells to set
   * @param show  gets what its processes write, as it comes
   */
  constructor(
    config: string,
    env: (folder: string) => NodeJS.ProcessEnv,
    show: (text: string, stream: 'out' | 'err') => void = () => {},
  ) {
    this.#config = config;
    this.#env = env(this.folder);
    this.#show = show;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  start(argv: readonly string[], options: { config?: string; env?: NodeJS.ProcessEnv } = {}): Running {
    const child = spawn(process.execPath, [bin, ...argv, '--config', options.config ?? this.#config], {
      // What a command writes beside itself goes with all else that the example keeps.
      cwd: this.folder,
      env: { PATH: process.env.PATH, ...this.#env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const texts = { out: '', err: '' };
    const answered = { out: new Set<number>(), err: new Set<number>() };
    const watchers = new Set<() => void>();
    const look = () => {
      for (const watcher of [...watchers]) watcher();
    };
    for (const [stream, name] of [
      [child.stdout, 'out'],
      [child.stderr, 'err'],
    ] as const) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
        this.#show(text, name);
        look();
      });
    }
    let over = false;
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (code) => {
        over = true;
        look();
        resolve({ exitCode: code ?? -1, ...texts });
      });
    });
    return {
      ended,
      interrupt: () => void child.kill('SIGINT'),
      leave: () => void child.stdout.destroy(),
      line: (stream, passes) =>
        new Promise((resolve, reject) => {
          const watcher = () => {
            const lines = texts[stream].split('\n').slice(0, -1);
            const at = lines.findIndex((line, i) => !answered[stream].has(i) && passes(line));
            if (at >= 0) {
              answered[stream].add(at);
              watchers.delete(watcher);
              resolve(lines[at]!);
            } else if (over) {
              watchers.delete(watcher);
              reject(new Error(`the process ended without that line:\n${texts.out}\n${texts.err}`));
            }
          };
          watchers.add(watcher);
          watcher();
        }),
    };
  }

  run(argv: readonly string[], options: { config?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Ended> {
    return this.start(argv, options).ended;
  }

  /** A command's one document. */
  async json<T>(...argv: readonly string[]): Promise<T> {
    return JSON.parse((await this.run([...argv, '--json'])).out) as T;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
