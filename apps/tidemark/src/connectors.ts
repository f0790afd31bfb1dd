import { readFile } from 'node:fs/promises';
import type { AnyConnector } from '@tidemark/core';

const packagePrefix = '@tidemark/connector-';

export interface LoadedConnectors {
  readonly connectors: readonly AnyConnector[];
  /** Packages that could not be loaded: the other ones still work. */
  readonly broken: readonly { readonly name: string; readonly reason: string }[];
}

/** Every connector that this package depends on. There is nothing to register: the dependency is the registration. */
export async function loadConnectors(): Promise<LoadedConnectors> {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    dependencies: { [name: string]: string };
  };
  const names = Object.keys(manifest.dependencies).filter((name) => name.startsWith(packagePrefix));
  const connectors: AnyConnector[] = [];
  const broken: { name: string; reason: string }[] = [];
  await Promise.all(
    names.sort().map(async (name) => {
      try {
        const { default: connector } = (await import(name)) as { default: AnyConnector };
        connectors.push(connector);
      } catch (error) {
        broken.push({ name: name.slice(packagePrefix.length), reason: (error as Error).message });
      }
    }),
  );
  return { connectors: connectors.sort((a, b) => (a.name < b.name ? -1 : 1)), broken };
}
