import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { FastifyInstance, InjectOptions } from 'fastify';

/** `fetch` that ends in this server without a socket: for worlds that run in one process, from one seed. */
export function inProcessFetch(app: FastifyInstance): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const payload = Buffer.from(await request.arrayBuffer());
    const options: InjectOptions & { payloadAsStream: true } = {
      method: request.method as NonNullable<InjectOptions['method']>,
      url: pathname + search,
      headers: Object.fromEntries(request.headers),
      signal: request.signal,
      payloadAsStream: true,
      ...(payload.length > 0 ? { payload } : {}),
    };
    const reply = await app.inject(options).catch((cause: unknown) => {
      // As the real one reports a connection that broke.
      throw request.signal.aborted ? request.signal.reason : new TypeError('fetch failed', { cause });
    });
    const empty = reply.statusCode === 204 || reply.statusCode === 304;
    return new Response(empty ? null : (Readable.toWeb(reply.stream()) as ReadableStream<Uint8Array>), {
      status: reply.statusCode,
      headers: readHeaders(reply.headers),
    });
  };
}

function readHeaders(headers: OutgoingHttpHeaders): Headers {
  const read = new Headers();
  for (const [name, value] of Object.entries(headers)) for (const one of [value ?? []].flat()) read.append(name, String(one));
  return read;
}
