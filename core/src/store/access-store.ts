/** What somebody may do over HTTP; each includes the ones before it. */
export const roles = ['read', 'operate', 'admin'] as const;
export type Role = (typeof roles)[number];

/** A token that was given to somebody. What it opens with is not kept, only what proves it. */
export interface AccessToken {
  /** Part of the token, no secret. */
  readonly id: string;
  /** Whose it is, as the user named it. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the whole token, in hexadecimal digits. */
  readonly digest: string;
  readonly createdAtMs: number;
  /** Null: never yet. */
  readonly usedAtMs: number | null;
}

/** Something that was asked for over HTTP and changes something, and what came of it. */
export interface AuditEntry {
  readonly id: string;
  readonly atMs: number;
  /** Name and id of the token. */
  readonly who: string;
  /** Such as `POST /api/v1/syncs/contacts/runs`. */
  readonly what: string;
  /** HTTP status that was answered. */
  readonly status: number;
  /** From where: an address. */
  readonly from: string;
}

/** Who may ask for what over HTTP, and who has asked for what. Every method is atomic. */
export interface AccessStore {
  putToken(token: AccessToken): Promise<void>;
  token(id: string): Promise<AccessToken | null>;
  /** The oldest first. */
  tokens(): Promise<readonly AccessToken[]>;
  usedToken(id: string, atMs: number): Promise<void>;
  /** Nobody gets in with it any more. @returns whether it was there */
  removeToken(id: string): Promise<boolean>;
  /** Keeps it, and forgets what happened before `keepFromMs`. */
  record(entry: Omit<AuditEntry, 'id'>, keepFromMs: number): Promise<void>;
  /** The newest first. */
  audit(filter: { readonly limit: number }): Promise<readonly AuditEntry[]>;
}
