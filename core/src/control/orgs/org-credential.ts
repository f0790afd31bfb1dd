import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { AccessDeniedError, CredentialRevokedError, TransientError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { retrying } from '../../base/retry.ts';
import type { OrgRef } from '../../config/config.ts';
import type { Log } from '../../model/log.ts';
import type { Credential } from '../../model/org-kind.ts';
import type { OrgStore, SealedCredential } from '../../store/org-store.ts';
import type { Vault } from '../../store/vault.ts';

export interface CredentialOptions {
  readonly orgs: OrgStore;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Longer than a system takes to answer a sign-in, or not to: by then whoever spends the credential is gone. */
const SPEND_MS = 90_000;
/** Whoever waits for another process to have spent it looks this often. */
const LOOK_MS = 500;

/** Where a credential belongs, for the vault. */
export function placeOf({ connection, name }: OrgRef): readonly string[] {
  return ['org', connection, name];
}

/** What to do about an org that does not let us in any more. */
export function inviteHint({ connection, name }: OrgRef): string {
  return `have its users connect it again: tidemark org invite ${connection} ${name}`;
}

/**
 * What lets us into one org. Where the system gives a new token for each that is spent, two processes that spend the same would lose
 * the org: one of them holds it, by the store, and the next one finds the new token.
 */
export function orgCredential(ref: OrgRef, options: CredentialOptions): Credential {
  const { orgs, vault, clock, random, log } = options;
  const { connection, name } = ref;
  return {
    spend: (work, signal) =>
      holding(ref, options, signal, async (sealed) => {
        const credential = vault.open(sealed, placeOf(ref));
        try {
          const { result, replacement } = await work(credential);
          if (replacement === undefined || replacement === credential) return result;
          const next = vault.seal(replacement, placeOf(ref));
          // The former one is dead: a store that is away for a moment must not lose the org.
          const isOurs = await retrying(() => orgs.replaceCredential(connection, name, sealed.version, next), { clock, random });
          if (!isOurs) throw new TransientError(`${name} was connected again meanwhile`);
          return result;
        } catch (error) {
          if (!(error instanceof CredentialRevokedError)) throw error;
          if ((await keptOf(ref, orgs)).version !== sealed.version)
            throw new TransientError(`${name} was connected again meanwhile`);
          await orgs.change(connection, name, { state: 'revoked', reason: error.message }, clock.now());
          log.warn({ connection, org: name, hint: inviteHint(ref) }, 'an org does not let us in any more: its syncs stand still');
          throw new CredentialRevokedError(error.message, { cause: error, hint: inviteHint(ref) });
        }
      }),
  };
}

/** Encrypts with the current key what was encrypted with another one; false when somebody has done so meanwhile. */
export function sealAnew(ref: OrgRef, options: CredentialOptions): Promise<boolean> {
  const { orgs, vault } = options;
  return holding(ref, options, undefined, async (sealed) => {
    if (sealed.keyId === vault.keyId) return false;
    const next = vault.seal(vault.open(sealed, placeOf(ref)), placeOf(ref));
    return orgs.replaceCredential(ref.connection, ref.name, sealed.version, next);
  });
}

/** While nobody else can: what is kept then stays as it is, unless the org is connected again. */
async function holding<T>(
  ref: OrgRef,
  { orgs, clock, random }: CredentialOptions,
  signal: AbortSignal | undefined,
  work: (sealed: SealedCredential) => Promise<T>,
): Promise<T> {
  const { connection, name } = ref;
  const holder = randomUUID();
  while (!(await orgs.takeCredential(connection, name, holder, clock.now(), clock.now() + SPEND_MS))) {
    await keptOf(ref, orgs);
    await clock.sleep(Math.ceil(LOOK_MS * (0.5 + random())), signal);
  }
  try {
    return await work(await keptOf(ref, orgs));
  } finally {
    // Who cannot give it back is waited for no longer than that.
    await orgs.giveCredentialBack(connection, name, holder).catch(() => {});
  }
}

async function keptOf(ref: OrgRef, orgs: OrgStore): Promise<SealedCredential> {
  const found = await orgs.credential(ref.connection, ref.name);
  if (found !== null) return found;
  throw new AccessDeniedError(`${ref.name} is no org of ${ref.connection} any more`, { hint: inviteHint(ref) });
}
