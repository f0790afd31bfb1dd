import type { AnyConnector } from '@tidemark/core';
import { connectorPackages } from './connector-packages.ts';

export interface LoadedConnectors {
  readonly connectors: readonly AnyConnector[];
  /** Packages that could not be loaded: the other ones still work. */
  readonly broken: readonly { readonly name: string; readonly reason: string }[];
}

export async function loadConnectors(): Promise<LoadedConnectors> {
  const connectors: AnyConnector[] = [];
  const broken: { name: string; reason: string }[] = [];
  await Promise.all(
    Object.entries(connectorPackages).map(async ([name, load]) => {
      try {
        connectors.push((await load()).default);
      } catch (error) {
        broken.push({ name: name.replace('@tidemark/connector-', ''), reason: (error as Error).message });
      }
    }),
  );
  return { connectors: connectors.sort((a, b) => (a.name < b.name ? -1 : 1)), broken };
}
