import type { ServerFaultError } from './client.ts';

/** When so many of one piece of work end in a fault of the server and none goes through, it is not they that are at fault. */
const FAULTS_MAX = 3;

/** Tells a server that is broken from records that it stumbles over: by whether it takes any other. */
export class Faults {
  #passed = false;
  readonly #errors: ServerFaultError[] = [];

  add(error: ServerFaultError): void {
    this.#errors.push(error);
  }

  passed(): void {
    this.#passed = true;
  }

  /** The server may well be broken: what remains is tried once each, since one that it takes tells. */
  get areServers(): boolean {
    return !this.#passed && this.#errors.length >= FAULTS_MAX;
  }

  /** To be asked at the end of the work. */
  throwIfServers(): void {
    if (this.areServers) throw this.#errors[0];
  }
}
