import { createHmac, timingSafeEqual } from 'node:crypto';
import type { OrgRef } from '../../config/config.ts';

/** Who may connect which org, until when: in the query of a link that nobody else can make. */
export interface Invitation extends OrgRef {
  /** Where the users of the org sign in; null for where the connection says. */
  readonly loginUrl: string | null;
  readonly expiresAtMs: number;
}

export function inviteQuery(invitation: Invitation, key: Buffer): URLSearchParams {
  const query = new URLSearchParams({ org: invitation.name, expires: String(Math.floor(invitation.expiresAtMs / 1000)) });
  if (invitation.loginUrl !== null) query.set('login', invitation.loginUrl);
  query.set('signature', signatureOf(invitation.connection, query, key));
  return query;
}

/** Null: nobody who has one of these keys has made it. That it may have expired is for the caller to look at. */
export function readInvitation(connection: string, query: URLSearchParams, keys: readonly Buffer[]): Invitation | null {
  const given = Buffer.from(query.get('signature') ?? '', 'base64url');
  const isOurs = keys.some((key) => {
    const made = Buffer.from(signatureOf(connection, query, key), 'base64url');
    return given.length === made.length && timingSafeEqual(given, made);
  });
  const [name, expires] = [query.get('org'), Number(query.get('expires'))];
  if (!isOurs || name === null || !Number.isSafeInteger(expires)) return null;
  return { connection, name, loginUrl: query.get('login'), expiresAtMs: expires * 1000 };
}

/** Over each value by itself, so that no part of one can be taken for a part of another. */
function signatureOf(connection: string, query: URLSearchParams, key: Buffer): string {
  const signed = JSON.stringify([connection, query.get('org'), query.get('expires'), query.get('login')]);
  return createHmac('sha256', key).update(signed).digest('base64url');
}
