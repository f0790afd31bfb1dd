import type { AnyConnector, Config, Store } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import { localDelay, type Network } from './network.ts';
import { storeParts } from './store-parts.ts';

/** What a process of the engine has around it in every simulated world. */
interface StoreWorld {
  readonly store: Store;
  readonly scheduler: Scheduler;
  readonly network: Network;
}

/** The configuration with the connectors of one life in place of those that it was read with. */
export function withConnectors(config: Config, connectors: Readonly<Record<string, AnyConnector>>): Config {
  const connections = new Map(
    [...config.connections].map(([name, connection]) => [
      name,
      { ...connection, connector: connectors[connection.connector.name] ?? connection.connector },
    ]),
  );
  return { ...config, connections };
}

/** The store of all lives: each of its methods is whole or not at all, and the process may die before it and after it. */
export function storeOf({ store, scheduler, network }: StoreWorld, life: Life): Store {
  const delay = () => localDelay(network.random);
  const outside = <T extends object>(part: T, what: string): T =>
    new Proxy(part, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (storeParts.has(name)) return outside(value as object, `store ${String(name)}`);
        if (typeof value !== 'function' || typeof name === 'symbol') return value;
        return (...args: unknown[]) =>
          scheduler.outside(life, `${what} ${name}`, () => value.apply(target, args), { beforeMs: delay(), afterMs: delay() });
      },
    });
  return outside(store, 'store');
}

/** For the history: errors by their message. */
export function textOf(data: object): string {
  return JSON.stringify(data, (_, value) => (value instanceof Error ? value.message : value));
}
