import type { Config as Org } from '@tidemark/connector-salesforce/metadata';
import { type Config, didYouMean, type PairingConfig, type SyncConfig } from '@tidemark/core';
import { UsageError } from '../usage-error.ts';

/** The org that a package is for, and the syncs that use it. */
export interface ChosenOrg {
  /** As it stands in the configuration. */
  readonly connection: string;
  /** It stands for many orgs, so that there is none to be asked. */
  readonly isMany: boolean;
  readonly settings: Org;
  readonly syncs: readonly SyncConfig[];
  readonly pairings: readonly PairingConfig[];
  /** Whether a name in these syncs means it. */
  is(connection: string): boolean;
}

const TYPE = 'salesforce';
const addIt = (name: string) => `write package: { connection: ${name} }`;

/** @throws {UsageError} it has none, or several and says not which. */
export function chooseOrg(config: Config): ChosenOrg {
  const single = [...config.connections.values()].filter(({ connector, org }) => connector.name === TYPE && org === undefined);
  const names = [...single.map(({ name }) => name), ...(config.orgs?.connections ?? [])];
  const { connection: wanted } = config.package;
  const name = wanted ?? names[0];
  if (name === undefined) {
    throw new UsageError(`${config.file} connects no Salesforce org`, { hint: 'add a connection of type salesforce' });
  }
  if (wanted === null && names.length > 1) {
    throw new UsageError(`${config.file} connects several orgs: ${names.join(', ')}`, { hint: addIt(name) });
  }
  if (!names.includes(name)) {
    const hint = addIt(didYouMean(name, names) ?? names[0] ?? 'crm');
    throw new UsageError(`${name} is no Salesforce org`, { hint });
  }
  const chosen = single.find((each) => each.name === name);
  if (chosen !== undefined) {
    const { syncs, pairings } = config;
    const settings = chosen.config as Org;
    return {
      connection: name,
      isMany: false,
      settings,
      syncs: [...syncs.values()],
      pairings: [...pairings.values()],
      is: (each) => each === name,
    };
  }
  // What is there for each org is there for one that is not connected yet.
  const sample = config.orgs!.expand({ connection: name, name: 'org', loginUrl: null, overrides: '{}' });
  const { syncs, pairings, connection } = sample;
  const settings = connection.config as Org;
  return { connection: name, isMany: true, settings, syncs, pairings, is: (each) => each === connection.name };
}
