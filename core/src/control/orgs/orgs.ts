import { RequestRefusedError } from '../../base/errors.ts';
import type { OrgRef } from '../../config/config.ts';
import type { OrgOverrides } from '../../config/org-overrides.ts';
import { checkOrgName, type OrgTemplates } from '../../config/orgs.ts';
import type { OrgGrant, OrgSignIn } from '../../model/org-kind.ts';
import type { StoredOrg } from '../../store/org-store.ts';
import type { EngineOptions } from '../engine-options.ts';
import { ConnectFlow } from './connect-flow.ts';
import { inviteHint, placeOf, sealAnew } from './org-credential.ts';

/** An org as people look at it. */
export interface OrgView extends Omit<StoredOrg, 'overrides'> {
  readonly overrides: OrgOverrides;
  /** What would read its credential is there. */
  readonly isReadable: boolean;
}

/** The orgs that connections stand for: who is connected, what is set for them, who may come. */
export class Orgs {
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Connections that stand for many orgs. */
  get connections(): readonly string[] {
    return this.#options.config.orgs?.connections ?? [];
  }

  /** @throws {RequestRefusedError} no connection stands for many orgs */
  get connectFlow(): ConnectFlow {
    const { store, clock } = this.#options;
    return new ConnectFlow({ store: store.orgs, vault: this.#templates().vault, clock, orgs: this });
  }

  async list(filter: { readonly connection?: string | undefined } = {}): Promise<readonly OrgView[]> {
    const { vault } = this.#templates();
    return (await this.#options.store.orgs.list(filter.connection)).map((org) => ({
      ...org,
      overrides: JSON.parse(org.overrides) as OrgOverrides,
      isReadable: vault.holds(org.keyId),
    }));
  }

  /** Adds an org by a credential that was come by otherwise. */
  async add(ref: OrgRef, { credential, loginUrl }: { credential: string; loginUrl: string | null }, signal: AbortSignal) {
    this.#check(ref);
    const grant = await this.signIn(ref.connection, loginUrl).adopt(credential, signal);
    await this.keep(ref, loginUrl, grant);
    return grant;
  }

  /**
   * An org that has let us in.
   * @throws {RequestRefusedError} its name stands for another one, or it has another name already
   */
  async keep(ref: OrgRef, loginUrl: string | null, { orgId, url, credential }: OrgGrant): Promise<void> {
    const { store, clock, log } = this.#options;
    const sealed = this.#templates().vault.seal(credential, placeOf(ref));
    const { clash } = await store.orgs.put({ ...ref, orgId, url, loginUrl, ...sealed, createdAtMs: clock.now() });
    if (clash === null) {
      log.info({ connection: ref.connection, org: ref.name, orgId }, 'an org is connected');
      return;
    }
    throw clash.name === ref.name
      ? new RequestRefusedError(`${ref.name} stands for another org already (${clash.orgId}), and this one is ${orgId}`, {
          hint: `choose another name, or remove that org first: tidemark org remove ${ref.connection} ${ref.name}`,
        })
      : new RequestRefusedError(`this org (${orgId}) is connected already, as ${clash.name}`, {
          hint: `use that name, or remove it first: tidemark org remove ${ref.connection} ${clash.name}`,
        });
  }

  /** The link by which the users of an org connect it. */
  invite(ref: OrgRef, { baseUrl, ttlMs, loginUrl }: { baseUrl: string; ttlMs: number; loginUrl: string | null }) {
    this.#check(ref);
    const expiresAtMs = this.#options.clock.now() + ttlMs;
    const query = this.connectFlow.invite({ ...ref, loginUrl, expiresAtMs });
    return { url: `${baseUrl.replace(/\/+$/, '')}/connect/${encodeURIComponent(ref.connection)}?${query}`, expiresAtMs };
  }

  async setPaused(ref: OrgRef, paused: boolean): Promise<void> {
    const org = await this.#find(ref);
    if (org.state === 'revoked') throw new RequestRefusedError(`${ref.name} does not let us in`, { hint: inviteHint(ref) });
    const change = paused
      ? ({ state: 'paused', reason: 'paused by hand' } as const)
      : ({ state: 'active', reason: null } as const);
    await this.#options.store.orgs.change(ref.connection, ref.name, change, this.#options.clock.now());
  }

  /** What is given takes the place of what was set; null unsets it. @throws {ConfigError} it does not fit */
  async set(ref: OrgRef, changes: { readonly [Name in keyof OrgOverrides]: OrgOverrides[Name] | null }): Promise<OrgOverrides> {
    const org = await this.#find(ref);
    const merged = { ...(JSON.parse(org.overrides) as OrgOverrides), ...changes };
    const overrides = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null && value !== undefined));
    const checked = this.#templates().checkOverrides(ref.connection, overrides);
    const change = { overrides: JSON.stringify(checked) };
    await this.#options.store.orgs.change(ref.connection, ref.name, change, this.#options.clock.now());
    return checked;
  }

  /** What it has brought stays where it is; it lets us in no more. */
  async remove(ref: OrgRef, signal: AbortSignal): Promise<{ readonly revoked: boolean }> {
    const { store } = this.#options;
    const org = await this.#find(ref);
    const kept = await store.orgs.credential(ref.connection, ref.name);
    const { vault } = this.#templates();
    let revoked = false;
    if (kept !== null && vault.holds(kept.keyId) && org.state !== 'revoked') {
      try {
        await this.signIn(ref.connection, org.loginUrl).revoke(vault.open(kept, placeOf(ref)), signal);
        revoked = true;
      } catch (error) {
        signal.throwIfAborted();
        this.#options.log.warn(
          { connection: ref.connection, org: ref.name, err: error },
          'the org could not be told that we leave it',
        );
      }
    }
    await store.orgs.remove(ref.connection, ref.name);
    return { revoked };
  }

  /** Encrypts with the current key what another one has encrypted; answers how many there were, and what cannot be read. */
  async rotateKey(): Promise<{ readonly keyId: string; readonly rotated: number; readonly unreadable: readonly OrgRef[] }> {
    const { vault } = this.#templates();
    const options = { ...this.#options, orgs: this.#options.store.orgs, vault };
    const others = (await options.orgs.list()).filter(({ keyId }) => keyId !== vault.keyId);
    const unreadable = others.filter(({ keyId }) => !vault.holds(keyId)).map(({ connection, name }) => ({ connection, name }));
    let rotated = 0;
    for (const { connection, name, keyId } of others) {
      if (vault.holds(keyId) && (await sealAnew({ connection, name }, options))) rotated++;
    }
    return { keyId: vault.keyId, rotated, unreadable };
  }

  signIn(connection: string, loginUrl: string | null): OrgSignIn {
    const { clock, random, log, fetch, config } = this.#options;
    this.#checkConnection(connection);
    return this.#templates().signIn(connection, loginUrl, { connection, clock, random, log, fetch, baseDir: config.baseDir });
  }

  async #find({ connection, name }: OrgRef): Promise<StoredOrg> {
    this.#checkConnection(connection);
    const all = await this.#options.store.orgs.list(connection);
    const found = all.find((org) => org.name === name);
    if (found !== undefined) return found;
    const known = all.slice(0, 20).map((org) => org.name);
    throw new RequestRefusedError(`there is no org ${name} of ${connection}`, {
      hint:
        known.length === 0
          ? `none is connected: tidemark org invite ${connection} ${name}`
          : `there are: ${known.join(', ')}${all.length > 20 ? ', …' : ''}`,
    });
  }

  #check({ connection, name }: OrgRef): void {
    this.#checkConnection(connection);
    checkOrgName(name);
  }

  #checkConnection(connection: string): void {
    const { connections } = this.#templates();
    if (connections.includes(connection)) return;
    throw new RequestRefusedError(`${connection} is no connection that stands for many orgs`, {
      hint: `there is: ${connections.join(', ')}`,
    });
  }

  #templates(): OrgTemplates {
    const { orgs } = this.#options.config;
    if (orgs !== null) return orgs;
    throw new RequestRefusedError('no connection of this configuration stands for many orgs', {
      hint: 'write orgs: true in the connection of the orgs: see docs/many-orgs.md',
    });
  }
}
