import type { Clock } from '@tidemark/core';
import type { CometD as CometDClass } from 'cometd';
import { parseJson } from '../exact-json.ts';

/** A long-polling request, as the library's transport hands it over. */
export interface Packet {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  onSuccess(text: string): void;
  onError(reason: string, error?: unknown): void;
}

/** What the library wants to know of a request under way. */
export interface PacketHandle {
  status: number;
  readonly readyState: number;
  abort(): void;
}

export type CometdClient = CometDClass;

/**
 * The official client (`cometd`), bound to our clock and our `fetch` where it would use those of a browser: so that proxies,
 * certificates and cookies are this connection's own, and a simulation can run it. What it does after a failure is ours to say.
 */
export async function createCometdClient(options: {
  readonly clock: Clock;
  send(packet: Packet): PacketHandle;
  failed(message: FailedMessage): void;
}): Promise<CometdClient> {
  const { CometD, LongPollingTransport } = await loadLibrary();
  const { clock } = options;

  class ClockedCometD extends CometD {
    // The library's own timers all go through these two.
    override setTimeout(call: () => void, delayMs: number): unknown {
      const cancelled = new AbortController();
      clock.sleep(delayMs, cancelled.signal).then(call, () => {});
      return cancelled;
    }
    override clearTimeout(timer: unknown): void {
      (timer as AbortController | null)?.abort();
    }
    /** After every kind of failure: instead of trying again by itself. */
    override onTransportFailure(message: FailedMessage): void {
      options.failed(message);
    }
  }

  class FetchTransport extends LongPollingTransport {
    override xhrSend(packet: Packet): PacketHandle {
      return options.send(packet);
    }
    /** Replay ids and decimals with more digits than a number holds stay as they are. */
    override convertToMessages(text: unknown): unknown[] {
      const messages = typeof text === 'string' ? parseJson(text, 'a CometD reply') : text;
      return Array.isArray(messages) ? messages : messages === null || messages === undefined ? [] : [messages];
    }
  }

  const client = new ClockedCometD();
  for (const type of client.getTransportTypes()) client.unregisterTransport(type);
  client.registerTransport('long-polling', new FetchTransport() as never);
  return client;
}

export interface FailedMessage {
  readonly channel: string;
  readonly error?: string;
  readonly subscription?: string;
  readonly ext?: { readonly sfdc?: { readonly failureReason?: string } };
  readonly failure?: { readonly reason?: string; readonly httpCode?: number; readonly exception?: Error };
}

interface Library {
  readonly CometD: new () => CometDClass & {
    setTimeout(call: () => void, delayMs: number): unknown;
    clearTimeout(timer: unknown): void;
    onTransportFailure(message: FailedMessage): void;
  };
  readonly LongPollingTransport: new () => {
    xhrSend(packet: Packet): PacketHandle;
    convertToMessages(text: unknown): unknown[];
  };
}

let library: Promise<Library> | undefined;

/** The library looks for a browser's `window`, and finds one with nothing in it that it could use behind our back. */
function loadLibrary(): Promise<Library> {
  const scope = globalThis as { window?: object };
  if (scope.window === undefined) {
    const window = { console: { debug() {}, info() {}, warn() {}, error() {} }, XMLHttpRequest: { UNSENT: 0 } };
    Object.defineProperty(scope, 'window', { value: window, configurable: true, enumerable: false, writable: true });
  }
  library ??= import('cometd') as unknown as Promise<Library>;
  return library;
}
