import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { RequestRefusedError } from '../../base/errors.ts';
import { type AccessStore, type AccessToken, type Role, roles } from '../../store/access-store.ts';

/** `tidemark_` so that a scanner for leaked secrets knows it, its id, and 256 bits that nobody can guess. */
const FORM = /^tidemark_([0-9a-f]{12})_[\w-]{43}$/;
const NAME_MAX = 100;
/** To the minute is enough to tell which tokens are still in use, and spares a write with each request. */
const USED_EVERY_MS = 60_000;

/** What is shown of a token; never its digest. */
export type ShownToken = Omit<AccessToken, 'digest'>;

/** Who may ask for what over HTTP. */
export class Tokens {
  readonly #store: AccessStore;
  readonly #clock: Clock;

  constructor(store: AccessStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Makes one. The token itself is told here and nowhere else: only its digest is kept (P10).
   * @throws {RequestRefusedError} the name is empty or too long
   */
  async issue(name: string, role: Role): Promise<{ readonly token: string; readonly issued: ShownToken }> {
    if (name.trim() === '' || name.length > NAME_MAX) {
      throw new RequestRefusedError(`a token needs a name of 1 to ${NAME_MAX} characters`, {
        hint: 'name whoever will use it, e.g. grafana',
      });
    }
    const id = randomBytes(6).toString('hex');
    const token = `tidemark_${id}_${randomBytes(32).toString('base64url')}`;
    const issued = { id, name, role, createdAtMs: this.#clock.now(), usedAtMs: null };
    await this.#store.putToken({ ...issued, digest: digestOf(token).toString('hex') });
    return { token, issued };
  }

  /** Whose it is; null when it is nobody's, or was taken back. */
  async check(token: string): Promise<ShownToken | null> {
    const id = FORM.exec(token)?.[1];
    const kept = id === undefined ? null : await this.#store.token(id);
    if (kept === null || !timingSafeEqual(Buffer.from(kept.digest, 'hex'), digestOf(token))) return null;
    const now = this.#clock.now();
    if (kept.usedAtMs === null || now - kept.usedAtMs >= USED_EVERY_MS) await this.#store.usedToken(kept.id, now);
    return shown(kept);
  }

  async list(): Promise<readonly ShownToken[]> {
    return (await this.#store.tokens()).map(shown);
  }

  /** @throws {RequestRefusedError} there is none of that id */
  async revoke(id: string): Promise<void> {
    if (await this.#store.removeToken(id)) return;
    throw new RequestRefusedError(`there is no token ${id}`, { hint: 'see: tidemark token list' });
  }
}

/** What a role may do, a lesser one may not. */
export function includes(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function shown({ digest: _, ...token }: AccessToken): ShownToken {
  return token;
}
