import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { argumentOf, fileOf, spawnNode } from './child.ts';

/** A script of this folder in a process of its own that is asked one thing after the other, over Node's channel. */
export class SpokenChild implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #said: object[] = [];
  #wake: () => void = () => {};

  constructor(script: string, input: unknown, execArgv: readonly string[] = []) {
    this.#child = spawnNode([...execArgv, fileOf(script), argumentOf(input)], ['inherit', 'inherit', 'ipc']);
    this.#child.on('message', (message: object) => {
      this.#said.push(message);
      this.#wake();
    });
    this.#child.on('exit', () => this.#wake());
  }

  /** The next thing that it says. */
  async next<T>(): Promise<T> {
    while (this.#said.length === 0) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error('the process ended before it answered');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#said.shift() as T;
  }

  ask<T>(question: object): Promise<T> {
    this.#child.send(question);
    return this.next<T>();
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  /** Lets it end by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}

export function answer(value: object): void {
  process.send!(value);
}
