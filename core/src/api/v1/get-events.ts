import type { FastifyReply } from 'fastify';
import type { Operation } from '../../control/operations.ts';
import type { SyncOverview } from '../../control/overview.ts';
import { type ApiEndpoint, type ApiParts, refusals } from './endpoint.ts';

/** How often the syncs are looked at while somebody listens. */
const LOOK_EVERY_MS = 2_000;
/** Proxies cut what is silent for longer than a minute or so. */
const SILENT_LOOKS_MAX = 10;

/**
 * What changes, as it does: `syncs` with the lines of syncs that have changed (all of them at first), `operation` with one of them.
 * Read it with `fetch`, which can send a token; an `EventSource` cannot.
 */
export const getEvents: ApiEndpoint = (api, parts) => {
  const audience = new Audience(parts);
  api.get(
    '/events',
    {
      config: { role: 'read', rateLimit: false },
      schema: { summary: 'What changes, as it does: server-sent events', tags: ['syncs'], response: refusals },
    },
    async (request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      await audience.add(reply);
      request.raw.on('close', () => audience.leave(reply));
    },
  );
};

/** Whoever listens. The syncs are looked at once for all of them, and not at all when nobody listens. */
class Audience {
  readonly #parts: ApiParts;
  readonly #listeners = new Set<FastifyReply>();
  #timer: NodeJS.Timeout | null = null;
  #unsubscribe: () => void = () => {};
  /** As it was told last, by sync. */
  #told = new Map<string, string>();
  #silentLooks = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
    parts.stop.addEventListener('abort', () => {
      for (const listener of this.#listeners) listener.raw.end();
    });
  }

  async add(listener: FastifyReply): Promise<void> {
    this.#listeners.add(listener);
    if (this.#timer === null) {
      this.#unsubscribe = this.#parts.operations.onChange((operation) => this.#tell('operation', operation));
      this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
    }
    const syncs = await this.#parts.engine.overview();
    if (this.#listeners.size === 1) this.#told = linesOf(syncs);
    listener.raw.write(textOf('syncs', syncs));
  }

  leave(listener: FastifyReply): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#timer = null;
  }

  async #look(): Promise<void> {
    try {
      const syncs = await this.#parts.engine.overview();
      const now = linesOf(syncs);
      const changed = syncs.filter(({ sync }) => this.#told.get(sync) !== now.get(sync));
      this.#told = now;
      if (changed.length > 0) this.#tell('syncs', changed);
      else if (++this.#silentLooks >= SILENT_LOOKS_MAX) this.#write(': still here\n\n');
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'the syncs could not be looked at; listeners are told when they can be again');
    }
  }

  #tell(event: 'syncs' | 'operation', data: readonly SyncOverview[] | Operation): void {
    this.#write(textOf(event, data));
  }

  #write(text: string): void {
    this.#silentLooks = 0;
    for (const listener of this.#listeners) listener.raw.write(text);
  }
}

function linesOf(syncs: readonly SyncOverview[]): Map<string, string> {
  return new Map(syncs.map((sync) => [sync.sync, JSON.stringify(sync)]));
}

function textOf(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
