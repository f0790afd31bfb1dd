import { RequestRefusedError } from '../base/errors.ts';
import type { BudgetRules } from '../model/call-budget.ts';
import type { Connection, ConnectorContext } from '../model/connector.ts';
import type { Budgets } from './budget/budgets.ts';
import type { EngineOptions } from './engine-options.ts';
import { orgCredential } from './orgs/org-credential.ts';

/** The connections of a configuration, each opened when it is first asked for. */
export class Connections implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #budgets: Budgets;
  readonly #opened = new Map<string, Connection<unknown, unknown>>();

  constructor(options: EngineOptions, budgets: Budgets) {
    this.#options = options;
    this.#budgets = budgets;
  }

  /** @throws {RequestRefusedError} the configuration has none of that name */
  get(name: string): Connection<unknown, unknown> {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const { config, store, clock, random, log, fetch } = this.#options;
    const configured = config.connections.get(name);
    if (configured === undefined) throw new RequestRefusedError(`there is no connection ${name}`);
    const openBudget = (rules: BudgetRules) => this.#budgets.open(name, rules);
    const { org, connector } = configured;
    const vault = config.orgs?.vault;
    const credential =
      org === undefined || vault === undefined
        ? {}
        : { credential: orgCredential(org, { orgs: store.orgs, vault, clock, random, log }) };
    const context: ConnectorContext = {
      ...{ connection: name, clock, random, log, fetch, baseDir: config.baseDir, openBudget },
      ...credential,
    };
    const opened = connector.open(configured.config, context);
    this.#opened.set(name, opened);
    return opened;
  }

  /** Those that were asked for. */
  opened(): Iterable<readonly [name: string, connection: Connection<unknown, unknown>]> {
    return this.#opened;
  }

  /** The configuration has it no more, or as another one. */
  async close(name: string): Promise<void> {
    const opened = this.#opened.get(name);
    this.#opened.delete(name);
    await this.#budgets.get(name)?.refresh(true);
    await opened?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#opened.values()) await connection[Symbol.asyncDispose]();
  }
}
