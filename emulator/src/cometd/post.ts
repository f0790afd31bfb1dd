import { EventEmitter } from 'node:events';
import type { ServerMessage } from 'cometd-nodejs-server';
import type { Access } from '../access/access.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { FaultList } from '../faults/fault-list.ts';
import type { OrgLimits } from '../limits/org-limits.ts';
import type { Bayeux } from './bayeux.ts';
import type { Post } from './clients.ts';
import { browserCookie, type Cookies, nodeCookie, readCookies } from './cookies.ts';
import { adviceFor, deniedHandshake, errors } from './errors.ts';
import { messageStrike } from './stream-faults.ts';
import type { Advice } from './types.ts';

/** One HTTP request to the Streaming API. */
export interface StreamingRequest {
  apiVersion: number;
  token: string | undefined;
  cookie: string | undefined;
  body: Buffer;
  /** Told what the request log counts it as, before it waits: `cometd.connect`. */
  onKind(kind: string): void;
  /** Calls once, when the client waits no longer. */
  onHangUp(listener: () => void): void;
}

export interface StreamingReply {
  status: number;
  body: string;
  setCookies: string[];
}

/** Larger bodies are refused (Streaming API guide, "Streaming API Error Codes"). */
const bodyBytesMax = 32_768;

interface Parts {
  access: Access;
  sessions: Sessions;
  limits: OrgLimits;
  faults: FaultList;
  cookies: Cookies;
  bayeux(): Bayeux;
}

/** Refuses what Salesforce refuses at its door; all else the library answers. `gone`: nobody waits, or hears, any more. */
export async function answerPost(request: StreamingRequest, parts: Parts): Promise<StreamingReply | 'gone'> {
  const messages = request.body.length > bodyBytesMax ? undefined : readMessages(request.body);
  if (!messages) {
    const isTooLong = request.body.length > bodyBytesMax;
    const body = isTooLong ? '413::Maximum Request Size Exceeded' : '400::Bad Request';
    return { status: isTooLong ? 413 : 400, body, setCookies: [] };
  }
  const first = messages[0] as ServerMessage;
  request.onKind(kindOf(first));
  const struck = strike(messages, request, parts);
  if (struck) return struck;
  const door = first.channel === '/meta/handshake' ? admit(request, parts) : recognise(first, request, parts);
  if ('refusal' in door) {
    const body = JSON.stringify(messages.map((message) => refuse(message, door.refusal)));
    return { status: 200, body, setCookies: door.setCookies ?? [] };
  }
  return runLibrary(messages, door.post, request, parts.bayeux(), parts.cookies.given(request.cookie));
}

function readMessages(body: Buffer): ServerMessage[] | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    const messages = Array.isArray(parsed) ? parsed : [parsed];
    const isMessage = (each: unknown) =>
      typeof each === 'object' && each !== null && typeof (each as ServerMessage).channel === 'string';
    return messages.length > 0 && messages.every(isMessage) ? (messages as ServerMessage[]) : undefined;
  } catch {
    return undefined;
  }
}

const kindOf = ({ channel }: ServerMessage) => (/^\/meta\/\w+$/.test(channel) ? `cometd.${channel.slice(6)}` : 'cometd');

interface Refusal {
  error: string;
  advice: Advice;
  setCookies?: string[];
}
type Door = { post: Post } | { refusal: Omit<Refusal, 'setCookies'>; setCookies?: string[] };

function refuse(
  { channel, id, clientId }: ServerMessage,
  { error, advice }: Omit<Refusal, 'setCookies'>,
): Record<string, unknown> {
  const named = { channel, ...(id === undefined ? {} : { id }) };
  if (channel === '/meta/handshake') return { ...deniedHandshake(error, advice), ...named };
  // A busy server names itself in both places.
  const ext = error.startsWith('503') ? { ext: { sfdc: { failureReason: error } } } : {};
  const known = error === errors.unknownClient || clientId === undefined ? {} : { clientId };
  const mayConnect = channel === '/meta/connect' || error === errors.unknownClient;
  return { ...known, ...ext, ...(mayConnect ? { advice } : {}), ...named, error, successful: false };
}

/** Faults that name Bayeux messages. The first that strikes answers the whole request. */
function strike(messages: readonly ServerMessage[], request: StreamingRequest, parts: Parts): StreamingReply | undefined {
  for (const { channel, clientId, subscription } of messages) {
    const [topic = ''] = [subscription ?? []].flat();
    for (const fault of parts.faults.fire('cometd', channel, topic)) {
      if (fault.params.revoke === true) parts.sessions.revoke(request.token ?? '');
      if (fault.kind === 'cometd-error') {
        const refusal = messageStrike(fault, channel);
        const body = JSON.stringify(messages.map((message) => refuse(message, refusal)));
        return { status: refusal.status, body, setCookies: [] };
      }
      // A server that restarted knows nobody.
      const forgotten = fault.params.all === true ? [...parts.bayeux().clients.keys()] : [clientId ?? ''];
      for (const each of forgotten) parts.bayeux().forget(each);
    }
  }
  return undefined;
}

const deny = (error: string): Door => ({ refusal: { error, advice: { reconnect: 'none' } } });

/** Who shakes hands needs a session, the right to use the API, and a free place. */
function admit({ token, apiVersion }: StreamingRequest, { sessions, access, limits }: Parts): Door {
  if (token === undefined) return deny(errors.authenticationMissing);
  const session = sessions.use(token);
  if (!session) return deny(errors.authenticationInvalid);
  if (!access.may(session.userId, 'apiEnabled')) return deny(errors.notEnabled);
  const leave = limits.StreamingApiConcurrentClients.enter();
  if (!leave) return deny(errors.tooManyClients);
  return { post: { apiVersion, userId: session.userId, token, leave, lost: false } };
}

/** Everybody else is known by the cookies that the handshake gave, and shows a session of the same user. */
function recognise({ clientId = '' }: ServerMessage, request: StreamingRequest, { sessions, cookies, bayeux }: Parts): Door {
  const client = bayeux().clients.get(clientId);
  const sent = readCookies(request.cookie);
  if (client && sent[browserCookie] === undefined) {
    return { refusal: { error: errors.noCookie(clientId), advice: { reconnect: 'none' } } };
  }
  if (!client || sent[nodeCookie] !== cookies.node) {
    const refusal = { error: errors.unknownClient, advice: adviceFor(errors.unknownClient) };
    return { refusal, setCookies: [cookies.cleared] };
  }
  const session = request.token === undefined ? undefined : sessions.use(request.token);
  const error = !session ? errors.authenticationInvalid : session.userId !== client.userId ? errors.otherUser : undefined;
  if (!session || error) return { refusal: { error: error as string, advice: { reconnect: 'none', interval: 0 } } };
  const { apiVersion } = request;
  return { post: { apiVersion, userId: session.userId, token: session.token, lost: false } };
}

/** Enough of an HTTP response for the library. */
class LibraryResponse extends EventEmitter {
  statusCode = 200;
  readonly socket = { destroyed: false };
  readonly setCookies: string[] = [];
  body = '';
  setHeader(name: string, value: string): void {
    if (name === 'Set-Cookie') this.setCookies.push(value);
  }
  end(body = ''): void {
    this.body = body;
    this.emit('finish');
  }
}

async function runLibrary(
  messages: ServerMessage[],
  post: Post,
  request: StreamingRequest,
  bayeux: Bayeux,
  given: readonly string[],
): Promise<StreamingReply | 'gone'> {
  const response = new LibraryResponse();
  const { clientId = '', channel } = messages[0] as ServerMessage;
  for (const message of messages) bayeux.carry(message, post);
  const isHeard = await new Promise<boolean>((resolve) => {
    response.on('finish', () => resolve(true));
    request.onHangUp(() => {
      response.socket.destroyed = true;
      bayeux.clients.get(clientId)?.wake();
      resolve(false);
    });
    bayeux.server.handle({ method: 'POST', headers: { cookie: request.cookie }, body: messages }, response);
  });
  const client = post.client ?? bayeux.clients.get(clientId);
  if (channel === '/meta/handshake' && !post.client) post.leave?.();
  const asksAgain = messages.some((message) => message.channel === '/meta/connect' || message.channel === '/meta/handshake');
  if (asksAgain) client?.awaitConnect();
  // What was subscribed to may have events already, and another connect of the client be waiting for them.
  else client?.look();
  if (!isHeard || post.lost) return 'gone';
  const setCookies = post.client ? [...response.setCookies, ...given] : response.setCookies;
  return { status: response.statusCode, body: response.body, setCookies };
}
