import { ConfigError } from '../../base/errors.ts';
import type { Config, ConnectionConfig, OrgRef, SyncConfig } from '../../config/config.ts';
import { nameAt, type OrgParts } from '../../config/orgs.ts';
import type { PairingConfig } from '../../config/pairing.ts';
import type { Log } from '../../model/log.ts';
import type { OrgStore, StoredOrg } from '../../store/org-store.ts';

export interface DirectoryOptions {
  readonly orgs: OrgStore;
  readonly log: Log;
  /** The connection is gone, or another one. */
  close(connection: string): Promise<void>;
}

interface Known {
  readonly org: StoredOrg;
  /** Null when what is set for it does not fit the configuration. */
  readonly parts: OrgParts | null;
}

/**
 * The configuration with the orgs that are connected at this time: all that the rest of the engine knows of them is that connections
 * and syncs come and go.
 */
export class OrgDirectory {
  /** As it is now: the maps change with the orgs. */
  readonly config: Config;
  readonly #written: Config;
  readonly #connections: Map<string, ConnectionConfig>;
  readonly #syncs: Map<string, SyncConfig>;
  readonly #pairings: Map<string, PairingConfig>;
  readonly #options: DirectoryOptions;
  readonly #known = new Map<string, Known>();
  readonly #listeners = new Set<() => void>();

  constructor(written: Config, options: DirectoryOptions) {
    this.#written = written;
    this.#options = options;
    this.#connections = new Map(written.connections);
    this.#syncs = new Map(written.syncs);
    this.#pairings = new Map(written.pairings);
    this.config = { ...written, connections: this.#connections, syncs: this.#syncs, pairings: this.#pairings };
  }

  /** Whether orgs can come and go. */
  get hasOrgs(): boolean {
    return this.#written.orgs !== null;
  }

  /** Takes over which orgs there are. */
  async refresh(): Promise<void> {
    const { orgs } = this.#written;
    if (orgs === null) return;
    const found = (await this.#options.orgs.list()).filter(({ connection }) => orgs.connections.includes(connection));
    const gone: string[] = [];
    let changed = false;
    const standing = new Set(found.map((org) => nameAt(org.connection, org.name)));
    for (const [name, { parts }] of this.#known) {
      if (standing.has(name)) continue;
      this.#forget(name, parts);
      gone.push(name);
      changed = true;
    }
    for (const org of found) {
      const name = nameAt(org.connection, org.name);
      const known = this.#known.get(name);
      if (known !== undefined && isSame(known.org, org)) {
        changed ||= known.org.state !== org.state;
        this.#known.set(name, { org, parts: known.parts });
        continue;
      }
      if (known !== undefined) {
        this.#forget(name, known.parts);
        gone.push(name);
      }
      this.#add(name, org);
      changed = true;
    }
    if (!changed) return;
    for (const listener of this.#listeners) listener();
    for (const name of gone) await this.#options.close(name);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns at the next change, or when `until` aborts. */
  changed(until: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        until.removeEventListener('abort', done);
        forget();
        resolve();
      };
      const forget = this.onChange(done);
      until.addEventListener('abort', done, { once: true });
      if (until.aborted) done();
    });
  }

  /** Whether its org lets us in and nobody has paused it; what belongs to no org always is. */
  isActive({ name, org }: { readonly name: string; readonly org?: OrgRef }): boolean {
    if (org === undefined) return true;
    const known = this.#known.get(nameAt(org.connection, org.name))?.org;
    const { paused = [] } = JSON.parse(known?.overrides ?? '{}') as { paused?: readonly string[] };
    return known?.state === 'active' && !paused.some((template) => nameAt(template, org.name) === name);
  }

  #add(name: string, org: StoredOrg): void {
    let parts: OrgParts | null = null;
    try {
      parts = this.#written.orgs!.expand(org);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const hint = `see what is set for it: tidemark org list, and set it anew: tidemark org set ${org.connection} ${org.name}`;
      this.#options.log.error(
        { connection: org.connection, org: org.name, err: error, hint },
        'an org is left out: what is set for it does not fit',
      );
    }
    this.#known.set(name, { org, parts });
    if (parts === null) return;
    this.#connections.set(name, parts.connection);
    for (const sync of parts.syncs) this.#syncs.set(sync.name, sync);
    for (const pairing of parts.pairings) this.#pairings.set(pairing.name, pairing);
  }

  #forget(name: string, parts: OrgParts | null): void {
    this.#known.delete(name);
    this.#connections.delete(name);
    for (const sync of parts?.syncs ?? []) this.#syncs.delete(sync.name);
    for (const pairing of parts?.pairings ?? []) this.#pairings.delete(pairing.name);
  }
}

/** But for its state: what it adds to the configuration is the same. */
function isSame(a: StoredOrg, b: StoredOrg): boolean {
  return a.orgId === b.orgId && a.loginUrl === b.loginUrl && a.overrides === b.overrides && a.createdAtMs === b.createdAtMs;
}
