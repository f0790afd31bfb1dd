import { NotConnectedError, RequestRefusedError } from '../../base/errors.ts';
import { publicFetch } from '../../base/fetch.ts';
import { signatureOf } from '../../base/signature.ts';
import type { WebhookConfig } from '../../config/notifications-config.ts';
import { messageId, subjectOf } from './notification.ts';
import type { Receiver, ReceiverContext } from './receiver.ts';

const TIMEOUT_MS = 15_000;

/** Tells by POST. Goes nowhere but to that address, and inside our own network only if it was told to (SSRF). */
export function webhookReceiver(config: WebhookConfig, { clock, fetch }: ReceiverContext): Receiver {
  const { host } = new URL(config.url);

  async function ask(method: 'POST' | 'HEAD', headers: Record<string, string>, body: string | null, signal: AbortSignal) {
    const reach = config.allowPrivate ? fetch : publicFetch(fetch);
    const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      // A redirect is not followed: what is told would travel to wherever it leads.
      const response = await reach(config.url, {
        ...{ method, headers: { 'user-agent': 'tidemark', ...headers }, redirect: 'manual', signal: within },
        ...(body === null ? {} : { body }),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      signal.throwIfAborted();
      const { cause } = error as Error;
      if (cause instanceof RequestRefusedError) {
        const hint = 'allowPrivate: true lets this receiver be inside your own network';
        throw new RequestRefusedError(cause.message, { cause, hint });
      }
      const why = within.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : reasonOf(cause ?? error);
      throw new NotConnectedError(`${host} cannot be reached: ${why}`);
    }
  }

  return {
    async send(notifications, signal) {
      const body = JSON.stringify({ text: subjectOf(notifications), notifications });
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': messageId(notifications),
        ...signed(config.secret, clock.now(), body),
      };
      const status = await ask('POST', headers, body, signal);
      if (status < 200 || status > 299) throw new RequestRefusedError(`${host} answered ${status}`);
    },
    async check(signal) {
      // Whatever it answers to a question that is none: it is there.
      await ask('HEAD', {}, null, signal);
    },
  };
}

function signed(secret: string | null, nowMs: number, body: string): Record<string, string> {
  if (secret === null) return {};
  const timestamp = String(Math.floor(nowMs / 1000));
  return { 'x-tidemark-timestamp': timestamp, 'x-tidemark-signature': signatureOf(secret, timestamp, body) };
}

/** The driver's own message may hold the whole address. */
function reasonOf(cause: unknown): string {
  const { code, name } = cause as { code?: string; name?: string };
  return code ?? name ?? 'unknown reason';
}
