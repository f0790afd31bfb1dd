import type { Readable } from 'node:stream';
import { createGunzip, gunzipSync } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { SalesforceError } from '../org/types.ts';
import { badRequest } from './errors.ts';

/** Zipped or not. */
export const bodyBytesMax = 64 * 1024 * 1024;

/** The body's bytes, unzipped if they came zipped. */
export function bodyBytes(request: FastifyRequest): Buffer {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (body.length === 0 || request.headers['content-encoding'] !== 'gzip') return body;
  try {
    return gunzipSync(body, { maxOutputLength: bodyBytesMax });
  } catch {
    throw badRequest('INVALID_INPUT', 'The request body is not valid gzip');
  }
}

/** @throws {SalesforceError} `JSON_PARSER_ERROR`; 415 when the body claims to be something else. */
export function jsonBody(request: FastifyRequest): unknown {
  const text = bodyBytes(request).toString();
  if (text === '') return undefined;
  const type = request.headers['content-type'] ?? 'application/json';
  if (!/json/i.test(type)) {
    throw new SalesforceError('UNSUPPORTED_MEDIA_TYPE', `Content type ${type} not supported.`, { httpStatus: 415 });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw badRequest('JSON_PARSER_ERROR', `${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A body that is no JSON, handed on unread to the resources that take such: Bulk uploads. */
export class Upload {
  readonly contentType: string;
  /** As announced; undefined when the client does not know yet. */
  readonly contentLength: number | undefined;
  readonly #body: Readable | Buffer;
  readonly #zipped: boolean;
  constructor(request: FastifyRequest) {
    this.contentType = request.headers['content-type'] ?? '';
    const length = request.headers['content-length'];
    this.contentLength = length === undefined ? undefined : Number(length);
    this.#body = Buffer.isBuffer(request.body) ? request.body : ((request.body as Readable | undefined) ?? Buffer.alloc(0));
    this.#zipped = request.headers['content-encoding'] === 'gzip';
  }

  /** The content as it comes, unzipped. */
  async *content(): AsyncGenerator<Uint8Array> {
    if (Buffer.isBuffer(this.#body)) {
      yield this.#zipped ? gunzipSync(this.#body, { maxOutputLength: bodyBytesMax }) : this.#body;
    } else if (!this.#zipped) {
      yield* this.#body as AsyncIterable<Uint8Array>;
    } else {
      const gunzip = createGunzip();
      this.#body.on('error', (error) => gunzip.destroy(error));
      yield* this.#body.pipe(gunzip) as AsyncIterable<Uint8Array>;
    }
  }
}

/** What a data resource gets as its body: JSON, or an upload that it reads itself. */
export function apiBody(request: FastifyRequest): unknown {
  const type = request.headers['content-type'] ?? '';
  // Some name the type that they want in return as if it were the type of what they send.
  if (request.method === 'GET' || request.method === 'DELETE') return undefined;
  const isUpload = request.method === 'PUT' || /^(text\/csv|multipart\/form-data)\b/i.test(type);
  return isUpload ? new Upload(request) : jsonBody(request);
}
