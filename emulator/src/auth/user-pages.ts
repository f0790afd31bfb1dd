import type { EmulatorContext } from '../http/context.ts';
import { restDatetime } from '../http/dates.ts';
import { identityUrl } from './token-endpoint.ts';

/** What the identity URL answers (Salesforce Help, "Identity URLs"). */
export function identityReply(context: EmulatorContext, userId: string): Record<string, unknown> {
  const { org, identity } = context;
  const user = identity.person(userId);
  return {
    id: identityUrl(context, userId),
    asserted_user: true,
    user_id: userId,
    organization_id: org.id,
    username: user.username,
    nick_name: nickname(user.displayName),
    display_name: user.displayName,
    email: user.email,
    email_verified: true,
    first_name: user.firstName,
    last_name: user.lastName,
    timezone: user.timeZone,
    photos: {},
    addr_street: null,
    addr_city: null,
    addr_state: null,
    addr_country: null,
    addr_zip: null,
    mobile_phone: null,
    mobile_phone_verified: false,
    is_lightning_login_user: false,
    status: { created_date: null, body: null },
    urls: urls(context, userId),
    active: true,
    user_type: 'STANDARD',
    language: 'en_US',
    locale: user.locale,
    utcOffset: -28800000,
    last_modified_date: restDatetime(org.clock.now()),
    is_app_installed: true,
  };
}

/** `/services/oauth2/userinfo`: the OpenID Connect form of the same. */
export function userInfoReply(context: EmulatorContext, userId: string): Record<string, unknown> {
  const { org, identity } = context;
  const user = identity.person(userId);
  return {
    sub: identityUrl(context, userId),
    user_id: userId,
    organization_id: org.id,
    preferred_username: user.username,
    nickname: nickname(user.displayName),
    name: user.displayName,
    email: user.email,
    email_verified: true,
    given_name: user.firstName,
    family_name: user.lastName,
    zoneinfo: user.timeZone,
    photos: {},
    profile: `${context.instanceUrl}/${userId}`,
    picture: '',
    address: {},
    urls: urls(context, userId),
    active: true,
    user_type: 'STANDARD',
    language: 'en_US',
    locale: user.locale,
    utcOffset: -28800000,
    updated_at: new Date(org.clock.now()).toISOString(),
  };
}

const nickname = (name: string) => name.toLowerCase().replaceAll(/\s+/g, '.');

function urls({ instanceUrl, org }: EmulatorContext, userId: string): Record<string, string> {
  const rest = `${instanceUrl}/services/data/v{version}/`;
  const soap = (kind: string) => `${instanceUrl}/services/Soap/${kind}/{version}/${org.id.slice(0, 15)}`;
  return {
    enterprise: soap('c'),
    metadata: soap('m'),
    partner: soap('u'),
    rest,
    sobjects: `${rest}sobjects/`,
    search: `${rest}search/`,
    query: `${rest}query/`,
    recent: `${rest}recent/`,
    tooling_soap: soap('T'),
    tooling_rest: `${rest}tooling/`,
    profile: `${instanceUrl}/${userId}`,
    feeds: `${rest}chatter/feeds`,
    groups: `${rest}chatter/groups`,
    users: `${rest}chatter/users`,
    feed_items: `${rest}chatter/feed-items`,
    feed_elements: `${rest}chatter/feed-elements`,
    custom_domain: instanceUrl,
  };
}
