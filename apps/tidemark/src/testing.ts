import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@tidemark/core';
import { main } from './main.ts';
import type { Terminal } from './terminal.ts';

export interface Answer {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** A folder with a configuration, and the command line called in it, in process. */
export class Workplace implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'tidemark-cli-'));
  readonly env: NodeJS.ProcessEnv;
  readonly #clock: Clock | undefined;

  constructor(env: NodeJS.ProcessEnv = {}, clock?: Clock) {
    this.env = env;
    this.#clock = clock;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): this {
    writeFileSync(this.path(name), text);
    return this;
  }

  async call(...argv: string[]): Promise<Answer> {
    let out = '';
    let err = '';
    const terminal: Terminal = {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      live: false,
      interactive: false,
      colourOut: false,
      colourErr: false,
    };
    const env = { TIDEMARK_CONFIG: this.path('tidemark.yaml'), ...this.env };
    const exitCode = await main(argv, { terminal, env, ...(this.#clock === undefined ? {} : { clock: this.#clock }) });
    return { exitCode, out, err };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
