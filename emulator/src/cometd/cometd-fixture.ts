import type { EmulatorOptions } from '../http/start-emulator.ts';
import { startTestOrg, type TestOrg } from '../http/testing.ts';

/** A bare Bayeux client over `fetch`: keeps cookies, and shows replies as they came. */

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
export type Message = any;

export interface Reply {
  status: number;
  messages: Message[];
  text: string;
  setCookies: string[];
}

export interface BareClient {
  clientId: string;
  /** The session that it shows unless told otherwise; the API user's when absent. */
  token: string | undefined;
  cookies: Map<string, string>;
  /** One POST; what is no text goes as JSON. */
  post(body: unknown, options?: PostOptions): Promise<Reply>;
  handshake(options?: PostOptions): Promise<Reply>;
  connect(options?: PostOptions): Promise<Reply>;
  subscribe(subscription: string | string[], replay?: Record<string, unknown>): Promise<Message>;
}

export interface PostOptions {
  path?: string;
  token?: string | null;
  signal?: AbortSignal;
}

export async function startStreamingOrg(options: EmulatorOptions = {}): Promise<TestOrg> {
  return await startTestOrg({
    changeEvents: ['Account', 'Contact'],
    platformEvents: [{ name: 'Note__e', fields: [{ name: 'N__c', type: 'number' }] }],
    ...options,
  });
}

export function bareClient({ emulator }: TestOrg): BareClient {
  const cookies = new Map<string, string>();
  let id = 0;
  const client: BareClient = {
    clientId: '',
    token: undefined,
    cookies,
    async post(body, { path = '/cometd/62.0', token = client.token ?? emulator.credentials.accessToken, signal } = {}) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const ask = emulator.url.startsWith('http://127.') ? fetch : emulator.fetch;
      const response = await ask(emulator.url + path, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `OAuth ${token}` }),
          ...(cookie === '' ? {} : { cookie }),
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(signal ? { signal } : {}),
      });
      const setCookies = response.headers.getSetCookie();
      for (const each of setCookies) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(each) ?? [];
        if (/Expires=Thu, 01 Jan 1970/.test(each)) cookies.delete(name);
        else cookies.set(name, value);
      }
      const text = await response.text();
      return { status: response.status, text, setCookies, messages: text.startsWith('[') ? (JSON.parse(text) as Message[]) : [] };
    },
    async handshake(options) {
      id += 1;
      const message = { channel: '/meta/handshake', id: `${id}`, version: '1.0', supportedConnectionTypes: ['long-polling'] };
      const reply = await client.post([{ ...message, ext: { replay: true } }], options);
      client.clientId = reply.messages[0]?.clientId ?? '';
      return reply;
    },
    connect(options) {
      id += 1;
      const { clientId } = client;
      return client.post([{ channel: '/meta/connect', clientId, connectionType: 'long-polling', id: `${id}` }], options);
    },
    async subscribe(subscription, replay) {
      id += 1;
      const ext = replay === undefined ? {} : { ext: { replay } };
      const message = { channel: '/meta/subscribe', clientId: client.clientId, subscription, id: `${id}`, ...ext };
      return (await client.post([message])).messages[0];
    },
  };
  return client;
}

/** Shook hands and connected once: the next connect is held. */
export async function connectedClient(org: TestOrg, token?: string): Promise<BareClient> {
  const client = bareClient(org);
  client.token = token;
  await client.handshake();
  await client.connect();
  return client;
}

export const eventsOf = (messages: readonly Message[]): Message[] => messages.filter(({ data }) => data !== undefined);

/** Of platform events, in the order of their coming. */
export const numbersOf = (messages: readonly Message[]): number[] => eventsOf(messages).map(({ data }) => data.payload.N__c);

export const publish = ({ emulator }: TestOrg, ...numbers: number[]) =>
  emulator.events.publish(
    '/event/Note__e',
    numbers.map((n) => ({ fields: { N__c: n } })),
    emulator.org.adminUserId,
  );

/** Whether a connect of the newest client is held. */
export const isWaiting = ({ emulator }: TestOrg): boolean => emulator.streaming.clients().at(-1)?.waits === true;

/** Lets others go on until something has come about. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}
