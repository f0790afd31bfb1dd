import { ConfigError, RequestRefusedError } from '../base/errors.ts';
import type { ConnectorContext } from '../model/connector.ts';
import type { OrgSignIn } from '../model/org-kind.ts';
import type { StoredOrg } from '../store/org-store.ts';
import { KEY_VARIABLE, NEW_KEY, Vault } from '../store/vault.ts';
import type { ConnectionConfig, OrgRef, OwningOrg, SyncConfig } from './config.ts';
import { namingKeys } from './datasets.ts';
import type { Environment } from './environment.ts';
import { hashOf } from './fingerprint.ts';
import type { LocatedYaml, Path } from './located-yaml.ts';
import { everyMsOf, type OrgOverrides, orgOverrides } from './org-overrides.ts';
import type { PairingConfig } from './pairing.ts';
import { isBlock, type ManyOrgs } from './read-connections.ts';
import { readPairing } from './read-pairing.ts';
import { readSync, type SyncContext } from './read-sync.ts';
import { Report } from './report.ts';

/** What stands in the configuration once and is there for each org. */
export interface OrgTemplates {
  /** Connections that stand for many orgs. */
  readonly connections: readonly string[];
  /** Syncs `forEach: org`, with the connection whose orgs are meant. */
  readonly syncs: ReadonlyMap<string, string>;
  readonly vault: Vault;
  /**
   * What one org adds to the configuration, under names of its own.
   * @throws {ConfigError} what is set for it does not fit
   */
  expand(org: OrgToExpand): OrgParts;
  /** Asks the users of an org. */
  signIn(connection: string, loginUrl: string | null, context: ConnectorContext): OrgSignIn;
  /** Checks what is to be set for one org alone. @throws {ConfigError} */
  checkOverrides(connection: string, overrides: unknown): OrgOverrides;
}

export type OrgToExpand = Pick<StoredOrg, 'connection' | 'name' | 'loginUrl' | 'overrides'>;

export interface OrgParts {
  readonly connection: ConnectionConfig;
  readonly syncs: readonly SyncConfig[];
  readonly pairings: readonly PairingConfig[];
}

/** `contacts@acme`: what belongs to one org is named after it. */
export function nameAt(name: string, org: string): string {
  return `${name}@${org}`;
}

/** The name in the file of what may belong to an org: `contacts`. */
export function nameInFile(name: string, org: { readonly name: string } | undefined): string {
  return org !== undefined && name.endsWith(nameAt('', org.name)) ? name.slice(0, -nameAt('', org.name).length) : name;
}

/** The same of a sync, which may be a part of one as well. */
export function syncInFile({ name, org, part }: Pick<SyncConfig, 'name' | 'org' | 'part'>): string {
  return part?.sync ?? nameInFile(name, org);
}

/** The names of orgs, too, appear on command lines, in URLs, as metrics labels, and in names of tables. */
export function checkOrgName(name: string): void {
  if (/^[A-Za-z0-9][\w-]{0,62}$/.test(name)) return;
  throw new RequestRefusedError(`${JSON.stringify(name)} is not a usable name of an org`, {
    hint: 'begin with a letter or a digit; then letters, digits, - and _, 63 at most',
  });
}

/** Stands for an org when the templates are checked. */
const SAMPLE = { name: 'org', loginUrl: null, overrides: '{}' };

interface Templates {
  readonly many: ReadonlyMap<string, ManyOrgs>;
  /** As they stand in the file. */
  readonly blocks: Readonly<Record<string, unknown>>;
  readonly context: SyncContext;
  readonly yaml: LocatedYaml;
  readonly env: Environment;
}

/** Checks what is there for each org, as it would be for one: `sample`, under the names in the file. Null when nothing is, or it is wrong: then that is in the report. */
export function readOrgs(
  templates: Templates,
): { readonly templates: OrgTemplates; readonly sample: readonly SyncConfig[] } | null {
  const { many, blocks, context } = templates;
  const { report } = context;
  const named = Object.entries(blocks).filter(([, block]) => isForEach(block)) as [string, Record<string, unknown>][];
  const syncs = new Map<string, string>();
  for (const [name, block] of named) {
    const path: Path = ['syncs', name, 'forEach'];
    if (block.forEach !== 'org') report.error(path, 'takes org', 'write forEach: org');
    if (isBlock(block.from) && 'hook' in block.from) {
      const hint = 'take it into a queue first, and write a sync for each org that reads from there';
      report.error(path, 'is not for a hook, which is one for all orgs', hint, 'key');
    }
    const used = connectionsOf(block).filter((each) => many.has(each));
    const [connection, other] = [...new Set(used)];
    if (connection === undefined) {
      report.error(path, 'names no connection that stands for many orgs', 'write orgs: true in the connection of the orgs');
    } else if (other !== undefined) {
      report.error(path, `is of the orgs of ${connection} and of ${other} at once`, 'make it two syncs');
    } else syncs.set(name, connection);
  }
  if (many.size === 0) return null;
  const vault = openVault(templates);
  const samples = [...many.keys()].map((connection) => expandOrg({ ...SAMPLE, connection }, templates, syncs, report));
  if (vault === null || samples.some((each) => each === null)) return null;
  const all = samples.filter((each) => each !== null);
  const fresh = <T>(work: (own: Report) => T | null): T => {
    const own = new Report(templates.yaml);
    const made = work(own);
    if (made === null || own.problems.some(({ severity }) => severity === 'error')) throw new ConfigError(own.problems);
    return made;
  };
  const checkOverrides = (connection: string, overrides: unknown) =>
    fresh((own) => {
      for (const name of (overrides as OrgOverrides).paused ?? []) {
        if (syncs.get(name) !== connection)
          own.unknown(['connections', connection], `${name} is no sync for its orgs`, name, syncs.keys());
      }
      return own.parse(orgOverrides, overrides, ['connections', connection]) && (overrides as OrgOverrides);
    });
  return {
    templates: {
      connections: [...many.keys()],
      syncs,
      vault,
      expand: (org) => fresh((own) => expandOrg(org, templates, syncs, own)),
      signIn(connection, loginUrl, connectorContext) {
        const { connector, config } = many.get(connection)!;
        const kind = connector.orgs!;
        return kind.signIn(kind.at(config, loginUrl), connectorContext);
      },
      checkOverrides,
    },
    sample: all
      .flatMap((each) => each.syncs)
      .map((sync) => ({ ...sync, name: sync.name.slice(0, -nameAt('', SAMPLE.name).length) })),
  };
}

export function isForEach(block: unknown): boolean {
  return isBlock(block) && 'forEach' in block;
}

function openVault({ many, context: { report }, env }: Templates): Vault | null {
  const path: Path = ['connections', [...many.keys()][0]!, 'orgs'];
  const keys = env[KEY_VARIABLE];
  if (keys === undefined || keys === '') {
    const hint = `set it, e.g. in .env beside the configuration, and keep a copy: without it every org has to be connected again. Make one with: ${NEW_KEY}`;
    report.error(path, `needs a key by which tokens are encrypted: the environment variable ${KEY_VARIABLE} is not set`, hint);
    return null;
  }
  try {
    return new Vault(keys);
  } catch (error) {
    if (!(error instanceof RequestRefusedError)) throw error;
    report.error(path, error.message, error.hint);
    return null;
  }
}

function expandOrg(
  { connection: name, name: org, loginUrl, overrides: kept }: OrgToExpand,
  { many, blocks, context }: Templates,
  templates: ReadonlyMap<string, string>,
  report: Report,
): OrgParts | null {
  const { connector, block } = many.get(name)!;
  const kind = connector.orgs!;
  const overrides = JSON.parse(kept) as OrgOverrides;
  const budget = overrides.budget === undefined ? {} : { budget: overrides.budget };
  const parsed = report.parse(kind.config, { ...block, ...budget }, ['connections', name]);
  if (parsed === null) return null;
  const written = [...templates].filter(([, of]) => of === name).map(([template]) => [template, blocks[template]]);
  const template = hashOf([block, written]);
  const settings = JSON.stringify([loginUrl, overrides]);
  const ref: OwningOrg = { connection: name, name: org, settings, template };
  const connection = { name: nameAt(name, org), connector, config: kind.at(parsed.data, loginUrl), notes: null, org: ref };
  const own = { ...context, report, connections: new Map([...context.connections, [name, connection]]), org };
  const syncs: SyncConfig[] = [];
  const pairings: PairingConfig[] = [];
  for (const [template, of] of templates) {
    if (of !== name) continue;
    const written = forOrg(blocks[template] as Record<string, unknown>, org);
    if ('between' in written) {
      const pairing = readPairing(template, written, own);
      if (pairing !== null)
        pairings.push({ ...pairing, name: nameAt(template, org), schedule: scheduleOf(pairing, overrides), org: ref });
      continue;
    }
    const sync = readSync(template, written, own);
    if (sync === null) continue;
    checkApart({ ...sync, org: ref }, blocks[template] as Record<string, unknown>, report);
    syncs.push({
      ...sync,
      name: nameAt(template, org),
      watermarkKey: nameAt(sync.watermarkKey, org),
      schedule: scheduleOf(sync, overrides),
      org: ref,
    });
  }
  return { connection, syncs, pairings };
}

function scheduleOf<Sync extends Pick<SyncConfig, 'schedule'>>({ schedule }: Sync, overrides: OrgOverrides): Sync['schedule'] {
  const everyMs = everyMsOf(overrides);
  return schedule === null || everyMs === null ? schedule : { kind: 'every', everyMs };
}

/** The block without `forEach`, and with the org's name wherever it says `{org}`. */
function forOrg(block: Record<string, unknown>, org: string): Record<string, unknown> {
  const named = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replaceAll('{org}', org);
    if (Array.isArray(value)) return value.map(named);
    return isBlock(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, named(each)])) : value;
  };
  const { forEach: _, ...rest } = block;
  return named(rest) as Record<string, unknown>;
}

/** Orgs that write one dataset without being told apart in it would sweep one another's rows (P4). */
function checkApart(
  { name, to, org }: SyncConfig & { readonly org: OrgRef },
  template: Record<string, unknown>,
  report: Report,
): void {
  const isOwnSystem = to.connection === nameAt(org.connection, org.name);
  if (isOwnSystem || to.scope !== undefined || JSON.stringify(template.to).includes('{org}')) return;
  // What is published, or put into a queue, stands beside what others put there; what has no name keeps nothing.
  const names = namingKeys.filter((key) => key in (to.spec as object));
  if (names.length === 0 || names.includes('topic') || names.includes('queue')) return;
  report.error(
    ['syncs', name, 'to'],
    'is one place for all orgs, in which they would overwrite and sweep one another’s records',
    'add orgColumn: org_id, or let each have its own: table: "contacts_{org}"',
  );
}

/** Every connection that is named anywhere in it. */
function connectionsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(connectionsOf);
  if (!isBlock(value)) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    key === 'connection' && typeof each === 'string' ? [each] : connectionsOf(each),
  );
}
