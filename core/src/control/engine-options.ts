import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import type { Connection } from '../model/connector.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import type { Budgets } from './budget/budgets.ts';
import type { Hooks } from './hooks.ts';
import type { OrgDirectory } from './orgs/org-directory.ts';
import type { Pauses } from './pauses.ts';
import type { UnderWay } from './under-way.ts';

export interface EngineOptions {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fetch: typeof globalThis.fetch;
}

/** What the parts of an engine work with. */
export interface EngineParts extends EngineOptions {
  /** @throws {RequestRefusedError} the configuration has none of that name */
  connection(name: string): Connection<unknown, unknown>;
  readonly hooks: Hooks;
  /** Which orgs are connected at this time: `config` changes with them. */
  readonly directory: OrgDirectory;
  readonly budgets: Budgets;
  readonly underWay: UnderWay;
  readonly pauses: Pauses;
}
