/**
 * Who waits in a simulated world: the org, a network, one process of the engine. A crash abandons its life: what waits in it never
 * goes on, no `finally` runs and no error is thrown, as with kill -9; only what it holds of the machine (files, connections) is let go.
 */
export class Life {
  readonly name: string;
  #abandoned = false;
  readonly #lettingGo: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** What the machine does when the process is dead: closes its files, its sockets. */
  onAbandoned(letGo: () => void): void {
    this.#lettingGo.push(letGo);
  }

  /** To be called through `Scheduler.abandon`, which also forgets who waits. */
  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    for (const letGo of this.#lettingGo) letGo();
  }
}
