import { XMLParser } from 'fast-xml-parser';
import type { EmulatorContext } from '../http/context.ts';
import { sessionMs } from './sessions.ts';

/** The last version that offers `login()`. */
const loginVersionMax = 64;

const parser = new XMLParser({ removeNSPrefix: true, ignoreAttributes: true, parseTagValue: false, trimValues: true });

export interface SoapReply {
  status: number;
  xml: string;
}

/** The SOAP calls that clients use to sign in and out (SOAP API Developer Guide, `login()`, `logout()`, `getUserInfo()`). */
export function answerSoap(body: string, version: string, context: EmulatorContext): SoapReply {
  let call: Record<string, unknown>;
  let header: Record<string, unknown>;
  try {
    const envelope = child(parser.parse(body), 'Envelope');
    call = child(envelope, 'Body');
    header = child(envelope, 'Header');
  } catch {
    return fault('soapenv:Client', 'The request could not be read as XML');
  }
  if ('login' in call) return login(child(call, 'login'), version, context);
  const sessionId = child(header, 'SessionHeader').sessionId;
  const session = typeof sessionId === 'string' ? context.sessions.use(sessionId) : undefined;
  if (!session) return fault('sf:INVALID_SESSION_ID', 'INVALID_SESSION_ID: Invalid Session ID found in SessionHeader');
  if ('logout' in call) {
    context.sessions.revoke(session.token);
    return { status: 200, xml: envelope('<logoutResponse/>') };
  }
  if ('getUserInfo' in call) {
    return {
      status: 200,
      xml: envelope(`<getUserInfoResponse><result>${userInfo(context, session.userId)}</result></getUserInfoResponse>`),
    };
  }
  return fault('soapenv:Client', `No operation available for request ${Object.keys(call)[0] ?? ''}`);
}

function login(credentials: Record<string, unknown>, version: string, context: EmulatorContext): SoapReply {
  if (Number.parseFloat(version) > loginVersionMax) {
    return fault('sf:UNSUPPORTED_API_VERSION', `UNSUPPORTED_API_VERSION: login() is not available in version ${version}`);
  }
  const { identity, access } = context;
  const userId = identity.checkPassword(String(credentials.username ?? ''), String(credentials.password ?? ''));
  if (userId === undefined || !identity.person(userId).isActive) {
    return fault('sf:INVALID_LOGIN', 'INVALID_LOGIN: Invalid username, password, security token; or user locked out.');
  }
  if (!access.may(userId, 'apiEnabled')) {
    return fault('sf:API_CURRENTLY_DISABLED', 'API_CURRENTLY_DISABLED: API is disabled for this User');
  }
  const session = context.sessions.start(userId);
  const url = (kind: string) => `${context.instanceUrl}/services/Soap/${kind}/${version}/${context.org.id.slice(0, 15)}`;
  const result =
    `<metadataServerUrl>${escapeXml(url('m'))}</metadataServerUrl><passwordExpired>false</passwordExpired>` +
    `<sandbox>false</sandbox><serverUrl>${escapeXml(url('u'))}</serverUrl><sessionId>${escapeXml(session.token)}</sessionId>` +
    `<userId>${userId}</userId><userInfo>${userInfo(context, userId)}</userInfo>`;
  return { status: 200, xml: envelope(`<loginResponse><result>${result}</result></loginResponse>`) };
}

function userInfo({ org, identity }: EmulatorContext, userId: string): string {
  const user = identity.person(userId);
  const values: Record<string, string> = {
    organizationId: org.id,
    organizationMultiCurrency: 'false',
    organizationName: 'Tidemark Emulator',
    profileId: `00e${userId.slice(3)}`,
    sessionSecondsValid: String(sessionMs / 1000),
    userDefaultCurrencyIsoCode: '',
    userEmail: user.email,
    userFullName: user.displayName,
    userId,
    userLanguage: 'en_US',
    userLocale: user.locale,
    userName: user.username,
    userTimeZone: user.timeZone,
    userType: 'Standard',
    userUiSkin: 'Theme3',
  };
  return Object.entries(values)
    .map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`)
    .join('');
}

/** A SOAP fault: always HTTP 500, expired sessions too. */
export function fault(code: string, message: string): SoapReply {
  const [prefix, name] = code.split(':');
  const detail =
    prefix === 'sf'
      ? `<detail><sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault"><sf:exceptionCode>${name}</sf:exceptionCode>` +
        `<sf:exceptionMessage>${escapeXml(message.replace(`${name}: `, ''))}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail>`
      : '';
  const xml =
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ' +
    'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>' +
    `<soapenv:Fault><faultcode>${code}</faultcode><faultstring>${escapeXml(message)}</faultstring>${detail}</soapenv:Fault>` +
    '</soapenv:Body></soapenv:Envelope>';
  return { status: 500, xml };
}

const envelope = (body: string) =>
  '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ' +
  'xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">' +
  `<soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`;

const entities: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;' };
const escapeXml = (text: string) => text.replaceAll(/[<>&"']/g, (character) => entities[character] as string);

function child(node: unknown, name: string): Record<string, unknown> {
  const value = node && typeof node === 'object' ? (node as Record<string, unknown>)[name] : undefined;
  return value && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}
