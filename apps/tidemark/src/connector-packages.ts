import type { AnyConnector } from '@tidemark/core';
import manifest from '../package.json' with { type: 'json' };

export type ConnectorPackages = Readonly<Record<string, () => Promise<{ readonly default: AnyConnector }>>>;

/**
 * Every connector that this package depends on, by the package's name. There is nothing to register: the dependency is the
 * registration. A package for users has them inside: for it, tools/pack-plugins.ts writes out what this finds.
 */
export const connectorPackages: ConnectorPackages = Object.fromEntries(
  Object.keys(manifest.devDependencies)
    .filter((name) => name.startsWith('@tidemark/connector-'))
    .map((name) => [name, () => import(name)]),
);
