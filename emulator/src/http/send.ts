import { createReadStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, createGzip, gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { numberParameter } from '../faults/fault-list.ts';
import type { FaultKind, FiredFault } from '../faults/types.ts';
import type { Outgoing } from './outgoing.ts';

/** Bodies below this are sent plain: Salesforce compresses most replies, not all. */
const gzipBytesMin = 1024;
const fileChunkBytes = 1 << 20;
const gzipLevel = constants.Z_BEST_SPEED;

/** Sends a reply, spoilt by the wire faults that struck the request. */
export async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  outgoing: Outgoing,
  faults: readonly FiredFault[],
): Promise<FastifyReply> {
  const fault = (kind: FaultKind) => faults.find((candidate) => candidate.kind === kind);
  const slow = fault('slow');
  if (slow) await sleep(numberParameter(slow, 'delayMs', 0));
  if (fault('lost-response')) return drop(reply);
  let body = bodyOf(outgoing);
  const truncate = fault('truncate');
  if (truncate) body = cut(body, numberParameter(truncate, 'afterBytes', 0));
  const headers = { ...outgoing.headers };
  if (acceptsGzip(request) && (body instanceof Readable || body.length >= gzipBytesMin)) {
    body = body instanceof Readable ? body.pipe(createGzip({ level: gzipLevel })) : gzipSync(body, { level: gzipLevel });
    headers['Content-Encoding'] = 'gzip';
  }
  headers.Vary = 'Accept-Encoding';
  const bytesPerSecond = slow ? numberParameter(slow, 'bytesPerSecond', 0) : 0;
  if (bytesPerSecond > 0) body = throttle(body, bytesPerSecond);
  const dropped = fault('drop');
  if (dropped) return sendPart(reply, outgoing.status, headers, body, numberParameter(dropped, 'afterBytes', 0));
  reply.code(outgoing.status).headers(headers);
  return reply.send(outgoing.status === 204 || outgoing.status === 304 ? undefined : body);
}

/** Closes the connection without a word. */
export function drop(reply: FastifyReply): FastifyReply {
  reply.hijack();
  reply.raw.destroy();
  return reply;
}

function bodyOf({ body }: Outgoing): Buffer | Readable {
  if (Buffer.isBuffer(body)) return body;
  if (body.end <= body.start) return body.head;
  const rows = createReadStream(body.path, { start: body.start, end: body.end - 1, highWaterMark: fileChunkBytes });
  return withHead(body.head, rows);
}

/** The header line goes with the first rows, so that the rest of the file passes untouched. */
function withHead(head: Buffer, rows: Readable): Readable {
  let sent = false;
  const joined = new Transform({
    readableHighWaterMark: fileChunkBytes,
    writableHighWaterMark: fileChunkBytes,
    transform(chunk: Buffer, _encoding, done) {
      if (!sent) this.push(head);
      sent = true;
      done(null, chunk);
    },
  });
  rows.on('error', (error) => joined.destroy(error));
  joined.on('close', () => rows.destroy());
  return rows.pipe(joined);
}

/** A reply that ends too early and says that it is complete. */
function cut(body: Buffer | Readable, bytes: number): Buffer | Readable {
  if (Buffer.isBuffer(body)) return body.subarray(0, bytes);
  return Readable.from(firstBytes(body, bytes));
}

async function* firstBytes(body: Readable, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.length;
  }
}

function throttle(body: Buffer | Readable, bytesPerSecond: number): Readable {
  return Readable.from(trickle(body, Math.max(1, Math.floor(bytesPerSecond / 10))));
}

async function* trickle(body: Buffer | Readable, bytesPerTenth: number): AsyncGenerator<Buffer> {
  for await (const chunk of Buffer.isBuffer(body) ? [body] : (body as AsyncIterable<Buffer>)) {
    for (let start = 0; start < chunk.length; start += bytesPerTenth) {
      yield chunk.subarray(start, start + bytesPerTenth);
      await sleep(100);
    }
  }
}

/** Head and the first bytes, and then the connection breaks. */
async function sendPart(
  reply: FastifyReply,
  status: number,
  headers: Record<string, string>,
  body: Buffer | Readable,
  bytes: number,
): Promise<FastifyReply> {
  if (bytes <= 0) return drop(reply);
  const date = reply.getHeader('Date');
  reply.hijack();
  const length: Record<string, string> = Buffer.isBuffer(body) ? { 'Content-Length': String(body.length) } : {};
  reply.raw.writeHead(status, { ...headers, ...length, ...(date === undefined ? {} : { Date: String(date) }) });
  const source = Buffer.isBuffer(body) ? Readable.from([body]) : body;
  for await (const chunk of firstBytes(source, bytes)) {
    await new Promise<void>((resolve) => reply.raw.write(chunk, () => resolve()));
  }
  source.destroy();
  reply.raw.destroy();
  return reply;
}

function acceptsGzip(request: FastifyRequest): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(request.headers['accept-encoding'] ?? '');
}
