import type { ServerFaultError } from './client.ts';

/** When so many of one piece of work end in a fault of the server and none goes through, it is not they that are at fault. */
const FAULTS_MAX = 3;

/** Tells a server that is broken from one record that it stumbles over. */
export class Faults {
  #passed = false;
  readonly #errors: ServerFaultError[] = [];

  add(error: ServerFaultError): void {
    this.#errors.push(error);
    this.throwIfServers();
  }

  passed(): void {
    this.#passed = true;
  }

  throwIfServers(): void {
    if (!this.#passed && this.#errors.length >= FAULTS_MAX) throw this.#errors[0];
  }
}
