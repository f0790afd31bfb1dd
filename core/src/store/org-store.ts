/** Whether the syncs of an org run. `revoked`: the org does not let us in any more, until somebody connects it again. */
export const orgStates = ['active', 'paused', 'revoked'] as const;
export type OrgState = (typeof orgStates)[number];

/** One of the many orgs that a connection stands for, under the name that the user has given it. */
export interface StoredOrg {
  readonly connection: string;
  readonly name: string;
  /** The system's own id of the org. No two names of a connection stand for the same. */
  readonly orgId: string;
  /** Where its API answers. */
  readonly url: string;
  /** Where its users sign in; null for where the connection says. */
  readonly loginUrl: string | null;
  readonly state: OrgState;
  /** Why it is not active. */
  readonly reason: string | null;
  /** What is set for this org alone, as JSON. */
  readonly overrides: string;
  readonly keyId: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What lets us into an org, encrypted. `version` goes up each time it is replaced. */
export interface SealedCredential {
  readonly sealed: string;
  readonly keyId: string;
  readonly version: number;
}

export type NewOrg = Omit<StoredOrg, 'state' | 'reason' | 'overrides' | 'updatedAtMs'> & { readonly sealed: string };

/** A sign-in that a customer has begun and not yet ended. */
export interface PendingSignIn {
  /** SHA-256 of what comes back with the customer: who reads the store learns nothing to come back with. */
  readonly digest: string;
  readonly connection: string;
  readonly org: string;
  readonly sealed: string;
  readonly expiresAtMs: number;
}

/** The orgs that connections stand for. Every method is atomic. */
export interface OrgStore {
  /** By connection and name. */
  list(connection?: string): Promise<readonly StoredOrg[]>;
  /**
   * Adds an org, or lets one in again: with the same id of the system it keeps what is set for it, and is active.
   * @returns the name by which the same org is known already, or the id that this name stands for: then nothing was changed
   */
  put(org: NewOrg): Promise<{ readonly clash: null | { readonly name: string; readonly orgId: string } }>;
  /** @returns whether there is such an org */
  change(
    connection: string,
    name: string,
    change: Partial<Pick<StoredOrg, 'state' | 'reason' | 'overrides'>>,
    atMs: number,
  ): Promise<boolean>;
  remove(connection: string, name: string): Promise<boolean>;

  credential(connection: string, name: string): Promise<SealedCredential | null>;
  /** Puts another one in the place of that version; false when it is not that version any more, and nothing was changed. */
  replaceCredential(connection: string, name: string, version: number, next: Omit<SealedCredential, 'version'>): Promise<boolean>;
  /** Keeps everybody else from spending the credential until then; false while somebody else does. */
  takeCredential(connection: string, name: string, holder: string, nowMs: number, untilMs: number): Promise<boolean>;
  giveCredentialBack(connection: string, name: string, holder: string): Promise<void>;

  /** Forgets those that have expired, too. */
  putSignIn(signIn: PendingSignIn, nowMs: number): Promise<void>;
  /** Once: it is gone then. Null when there is none that still holds. */
  takeSignIn(digest: string, nowMs: number): Promise<PendingSignIn | null>;
}
